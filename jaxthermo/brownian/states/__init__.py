"""States of oscillator and bath: where they come from, and what is measured on them."""

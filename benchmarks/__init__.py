"""One question per script; `python -m benchmarks` runs them all."""

"""The oscillator driven by schedules: courses, and the stationary cycle of an engine."""

"""The hierarchy among the lowest levels of the oscillator, for equilibria that a grid cannot reach."""

"""Grid and depth chosen for a promise, and the judgement whether a solution keeps it."""

import numpy as np

from benchmarks import gillespie


def test_the_hand_written_loop_does_the_same_work():
    """Means of work and of jumps within four standard errors of each other."""
    ours = gillespie.library_run(30, 512, 2.0)
    theirs = gillespie.numba_run(30)(512, 2.0)
    for one, other in zip(ours, theirs, strict=True):
        error = np.sqrt((one.var() + other.var()) / 512)
        assert error > 0 and abs(one.mean() - other.mean()) < 4 * error

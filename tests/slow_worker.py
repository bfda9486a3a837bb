"""Preloaded by a worker of a cluster that is to be slow."""

import functools
import time

from jaxthermo.scans.compiled import Chunks

# So long that it gets fewer chunks than another even on a machine that is busy with something else.
SECONDS = 0.3


def slowed(run):
    @functools.wraps(run)
    def slow(self, columns, *parts):
        time.sleep(SECONDS)
        return run(self, columns, *parts)

    return slow


# dask loads this file twice.
if not hasattr(Chunks.run, "__wrapped__"):
    Chunks.run = slowed(Chunks.run)

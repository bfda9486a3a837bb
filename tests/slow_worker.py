"""Preloaded by a worker of a cluster that is to be slow."""

import functools
import time

from jaxthermo.scans.compiled import Chunks

SECONDS = 0.05


def slowed(run):
    @functools.wraps(run)
    def slow(self, columns):
        time.sleep(SECONDS)
        return run(self, columns)

    return slow


# dask loads this file twice.
if not hasattr(Chunks.run, "__wrapped__"):
    Chunks.run = slowed(Chunks.run)

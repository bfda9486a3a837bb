"""A cluster of dask on this machine, each part a process of its own that can be killed."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import scan_processes
from distributed import Client

PATIENCE = scan_processes.PATIENCE


class LocalCluster:
    """A scheduler, and workers as they are started; known by the scheduler's file."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.log = (folder / "cluster.log").open("a")
        self.workers = []
        words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file]
        self.scheduler = self._start("dask_scheduler", *words)
        end = time.monotonic() + PATIENCE
        while not (self.file.exists() and self.file.read_text().endswith("}")):
            assert self.scheduler.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def _start(self, module, *words):
        # What is killed must not leave half an entry in the suite's cache of programs.
        own = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false", "JAX_PLATFORMS": "cpu"}
        own["PYTHONPATH"] = f"{scan_processes.ROOT}{os.pathsep}{scan_processes.WORKER.parent}"
        out = {"stdout": self.log, "stderr": self.log, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{module}", *map(str, words)], env=own, **out)

    def worker(self, *words):
        """One more, of one thread unless told otherwise; it says nothing until it has joined."""
        words = (*words, "--host", "127.0.0.1", "--no-nanny", "--no-dashboard", "--scheduler-file", self.file)
        threads = () if "--nthreads" in words else ("--nthreads", "1")
        self.workers.append(self._start("dask_worker", *threads, *words))
        return self.workers[-1]

    def said(self):
        """What all its processes have written."""
        with open(self.log.name) as file:
            return file.read()

    def stop(self):
        """End all that still runs."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self.log.close()


@contextmanager
def cluster(folder, workers):
    """A cluster with so many workers at first, and a client of it."""
    made = LocalCluster(folder)
    try:
        for _ in range(workers):
            made.worker()
        with Client(scheduler_file=str(made.file), timeout=15, set_as_default=False) as client:
            yield made, client
    finally:
        made.stop()

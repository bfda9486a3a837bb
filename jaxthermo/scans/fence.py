"""Who may write into a store that several processes write: the workers of the run that was begun last, one a chunk."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxthermo.scans.files import Lock, StoreError, read_record, write_record

RUN = "run.json"
# Locks for those who write, each for every so many chunks, and how long one may take to write.
WRITERS, WRITING = 16, 600.0


class Fence:
    """The run that may write into the store of this record folder; `take_over` begins one, `join` takes part in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = ""
        self.joined = False

    def take_over(self) -> None:
        """Let no worker of an earlier run write any more: give this run a name, and wait for those who are writing."""
        self.run = uuid.uuid4().hex
        write_record(self.folder / RUN, {"run": self.run})
        for chunk in range(WRITERS):
            with self.alone(chunk):
                pass

    def join(self, run: str) -> None:
        """Take part in a run that another process began.

        Raises     StoreError if it is over
        """
        self.run, self.joined = run, True
        self.require()

    def require(self) -> None:
        """Raise a StoreError if the run that was joined is not the last one begun."""
        if not self.joined:
            return
        record = read_record(self.folder / RUN)
        if record is None or record["run"] != self.run:
            raise StoreError(f"`store` {self.folder.parent} was taken over by another run")

    @contextmanager
    def alone(self, chunk: int) -> Iterator[None]:
        """No other process, nor another run, writes this chunk meanwhile."""
        lock = Lock(self.folder / f"writer-{chunk % WRITERS}.lock")
        if not lock.acquire(patience=WRITING):
            raise StoreError(f"`store` {self.folder.parent} is being written by another process, for too long")
        try:
            yield
        finally:
            lock.release()

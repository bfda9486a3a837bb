"""Files of a store: either whole or not there, locks that die with their process, and who may write.

A store that several processes write knows the run that was begun last: its workers may write, one a chunk.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DIGEST = "sha256"

RUN = "run.json"
# Locks for those who write, each for every so many chunks, and how long one may take to write.
WRITERS, WRITING = 16, 600.0


class StoreError(ValueError):
    """A store that cannot be used: it holds another scan, is damaged, or is used by another process."""


def write_whole(path: Path, text: str) -> None:
    """Write a file so that after a crash at any moment it holds either its old text or the new one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(data: bytes) -> str:
    """Checksum of some bytes."""
    return hashlib.sha256(data).hexdigest()


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record with its own checksum."""
    write_whole(path, json.dumps({**record, DIGEST: digest(_text(record))}, indent=1) + "\n")


def read_record(path: Path) -> dict[str, Any] | None:
    """A record as it was written; None if it is not there or not whole."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.pop(DIGEST, None) != digest(_text(record)):
        return None
    return record


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True).encode()


class Lock:
    """A lock on a file, held until `release` or the end of the process, whatever ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, shared: bool = False, patience: float = 1.0) -> bool:
        """Whether the lock could be taken; tried for a moment, since others may look at it."""
        # fcntl is not on every system; there a store cannot be shared safely.
        import fcntl

        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < end:
                    time.sleep(0.05)
                    continue
                os.close(handle)
                return False
            self._handle = handle
            return True

    def is_held(self) -> bool:
        """Whether another process holds it."""
        other = Lock(self.path)
        if not self.path.exists() or other.acquire(patience=0.0):
            other.release()
            return False
        return True

    def release(self) -> None:
        """Let it go; harmless if it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


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

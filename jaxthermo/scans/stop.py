"""SIGTERM during a scan: the chunk in flight is finished and kept, then the signal takes its course."""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any


class Stopped(RuntimeError):
    """A signal asked the scan to stop, and the program's own handler of it did not end the program."""


class StopOnSignal:
    """Notes SIGTERM while the block runs, and hands it on by `obey`."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "StopOnSignal":
        if self._active:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active:
            # None: a handler that was not set from Python, which cannot be set again from here.
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)

    def obey(self, message: str) -> None:
        """Say what was kept, and end as the process would have ended without a scan."""
        print(message, file=sys.stderr, flush=True)
        self.__exit__(None, None, None)
        signal.raise_signal(signal.SIGTERM)
        raise Stopped(message)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

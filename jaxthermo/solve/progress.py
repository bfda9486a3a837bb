"""One line on a terminal or in a notebook that says how far a long solve is; nothing elsewhere."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType


class Line:
    """A line on standard error, written over by the next and gone at the end.

    `wanted` None: shown where somebody watches, on a terminal or in a notebook; True and False decide it.
    """

    def __init__(self, name: str, wanted: bool | None = None):
        self._name = name
        self._shown = _is_watched() if wanted is None else wanted
        self._width = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()

    def tell(self, text: str) -> None:
        """Show this text in place of the last."""
        if not self._shown:
            return
        text = f"{self._name}: {text}"
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = max(self._width, len(text))

    def counter(self, total: int, what: str) -> Callable[[int], None]:
        """A function to be told, from any thread, how many more of `total` are done; the line has the time left."""
        begun, done = time.monotonic(), 0

        def advance(count: int) -> None:
            nonlocal done
            with self._lock:
                done += count
                left = (time.monotonic() - begun) * (total - done) / max(done, 1)
                self.tell(f"{done} of {total} {what}, {left:.0f} s left")

        return advance


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules

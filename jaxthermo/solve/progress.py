"""One line on a terminal or in a notebook that says how far a long call is; nothing elsewhere."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType

# Seconds before a line is shown that nobody asked for, and between two looks at the clock.
PATIENCE, TICK = 2.0, 1.0

# The line whose block this is.
_AROUND: ContextVar["Line | None"] = ContextVar("around", default=None)


class Line:
    """A line on standard error with the seconds spent, written over by the next and gone at the end.

    `wanted` None: shown where somebody watches, on a terminal or in a notebook, once the call takes long; True and
    False decide it. A thread of its own keeps the seconds running while jax compiles or computes. Inside the block of
    another line it has none of its own, and what it tells is told there.
    """

    def __init__(self, name: str, wanted: bool | None = None):
        self._name, self._text = name, ""
        self._shown = _is_watched() if wanted is None else wanted
        self._patience = PATIENCE if wanted is None else 0.0
        self._begun = time.monotonic()
        self._width = 0
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True)
        self._outer: Line | None = None
        self._token: Token[Line | None]

    def __enter__(self) -> "Line":
        self._outer = _AROUND.get()
        self._token = _AROUND.set(self)
        self._shown = self._shown and self._outer is None
        if self._shown:
            self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _AROUND.reset(self._token)
        self._over.set()
        if self._shown:
            self._clock.join()
        self._erase()

    def tell(self, text: str) -> None:
        """Show this text in place of the last."""
        if self._outer is not None:
            self._outer.tell(f"{self._name}: {text}")
        with self._lock:
            self._text = text
            self._write()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._outer is not None:
            self._outer.say(f"{self._name}: {text}")
        with self._lock:
            self._erase()
            if self._shown:
                print(f"{self._name}: {text}", file=sys.stderr, flush=True)

    def counter(self, total: int, what: str, done: int = 0) -> Callable[..., None]:
        """A function to be told, from any thread, how many more of `total` are done; the line has the time left.

        `done` were so before. What else the function is told stands at the end of the line. The time left is known once
        some are done, and better without the first of them, which compiled.
        """
        begun, first, before = time.monotonic(), done, done

        def advance(count: int, note: str = "") -> None:
            nonlocal done, begun, before
            with self._lock:
                done += count
                now = time.monotonic()
                left = f", {_in_words((now - begun) * (total - done) / (done - before))} left" if done > before else ""
                if done > first == before and done < total:
                    begun, before = now, done
                self.tell(f"{done} of {total} {what}{left}{note}")

        return advance

    def _tick(self) -> None:
        while not self._over.wait(TICK):
            self._write()

    def _write(self) -> None:
        spent = time.monotonic() - self._begun
        if not self._shown or spent < self._patience:
            return
        with self._lock:
            text = f"{self._name}: {self._text}" + (f" ({_in_words(spent)})" if spent >= TICK else "")
            # A line that wraps could not be written over.
            text = text[: shutil.get_terminal_size((120, 24)).columns - 1]
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = max(self._width, len(text))

    def _erase(self) -> None:
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()
            self._width = 0


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules

"""One line on a terminal that says how far a long solve is; nothing elsewhere."""

import sys
from types import TracebackType


class Line:
    """A line on standard error, written over by the next and gone at the end.

    `wanted` None: shown where standard error is a terminal; True and False decide it.
    """

    def __init__(self, name: str, wanted: bool | None = None):
        self._name = name
        self._shown = sys.stderr.isatty() if wanted is None else wanted
        self._width = 0

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

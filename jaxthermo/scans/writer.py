"""One thread that keeps a chunk while the next one is computed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class Writer:
    """Hands chunks to `keep`, one at a time, in a thread of its own; what was handed is kept whatever ends the block.

    `wait` for a chunk before the next is handed: so at most one is being written while one is computed.
    """

    def __init__(self, keep: Callable[..., Any]) -> None:
        self._keep = keep
        self._pool = ThreadPoolExecutor(1, "scan-writer")
        self._handed: Future[Any] | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def hand(self, *chunk: Any) -> None:
        """Call `keep` with these arguments in the background."""
        self._handed = self._pool.submit(self._keep, *chunk)

    def wait(self) -> Any:
        """What `keep` returned for the chunk handed last, or raised; None if there is none."""
        handed, self._handed = self._handed, None
        return None if handed is None else handed.result()

"""Progress of a scan: lanes done, rate, time left and failed lanes."""

from jaxthermo._status import Status
from jaxthermo.solve.progress import Line


class ScanProgress:
    """What is told of a scan's chunks on its line."""

    def __init__(self, line: Line, lanes: int, done: int) -> None:
        self._advance = line.counter(lanes, "lanes", done)
        self._counts = dict.fromkeys(Status, 0)

    def advance(self, lanes: int, counts: dict[int, int], seconds: float) -> None:
        """Count the lanes of one chunk, by status."""
        for code, count in counts.items():
            self._counts[Status(code)] += count
        rate = [f"{lanes / seconds:.3g}/s"] if seconds > 0 else []
        failed = [f"{n} {status.word}" for status, n in self._counts.items() if n and status is not Status.ok]
        self._advance(lanes, "".join(f", {word}" for word in rate + failed))

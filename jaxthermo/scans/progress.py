"""Progress of a scan on a terminal, with its rate, the time left and the failed lanes; nothing elsewhere."""

from types import TracebackType

from jaxthermo._status import Status


class ScanProgress:
    """A bar on standard error while the block runs, if that is a terminal."""

    def __init__(self, lanes: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        rate, failed = TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[failed]}")
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), failed)
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("lanes", total=lanes, completed=done, rate="", failed="")
        self._counts = dict.fromkeys(Status, 0)

    def __enter__(self) -> "ScanProgress":
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def advance(self, lanes: int, counts: dict[int, int], seconds: float) -> None:
        """Count the lanes of one chunk, by status."""
        for code, count in counts.items():
            self._counts[Status(code)] += count
        failed = [f"{n} {status.word}" for status, n in self._counts.items() if n and status is not Status.ok]
        rate = f"{lanes / seconds:.3g}/s" if seconds > 0 else ""
        self._bar.update(self._task, advance=lanes, rate=rate, failed=", ".join(failed))

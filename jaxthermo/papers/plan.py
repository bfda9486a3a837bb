"""A paper's figures and tables as a plan: jobs that compute datasets, products that draw them, run with progress."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import xarray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jaxthermo.papers import kept

Advance = Callable[[float], None]
Data = dict[str, xarray.Dataset]


@dataclass(frozen=True)
class Job:
    """One dataset: its name, the store and group that keep it, what it depends on, and how it is computed.

    `make` is given a function to report which further share of the job is done. `weight` is its rough cost in seconds
    of one core, compilation included; jobs that `share` compiled programs run one after another, so that none is
    compiled twice at once.
    """

    name: str
    store: str
    group: str
    settings: dict[str, Any]
    make: Callable[[Advance], xarray.Dataset]
    weight: float = 1.0
    share: str = ""


@dataclass(frozen=True)
class Product:
    """Files made from datasets: a figure or a table, with its title and caption on the paper's page.

    `write` is given a folder and the datasets by the names of their jobs, and gives the paths of what it wrote.
    """

    name: str
    title: str
    caption: str
    needs: tuple[Job, ...]
    write: Callable[[Path, Data], list[Path]]


@dataclass
class Made:
    """What a run of a plan has made."""

    data: Data = field(default_factory=dict)
    files: dict[str, list[Path]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reused: int = 0

    def paths(self) -> list[Path]:
        """All files, in the order in which they were written."""
        return [path for paths in self.files.values() for path in paths]


def run(out: Path, products: Sequence[Product], console: Console, everything: bool = True) -> Made:
    """Compute what is not there yet, write each product as soon as its data are known, and say so.

    Cheap products come first, as far as their data do. An interrupt loses the jobs that were running. Where these are
    `everything` that the stores should hold, groups that an earlier run with other settings has left are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    made, waiting = Made(), list(products)
    cheap_first = sorted(products, key=lambda product: sum(job.weight for job in product.needs))
    jobs = list({job.name: job for product in cheap_first for job in product.needs}.values())
    with _Display(console, jobs, _workers()) as display:

        def write_what_is_ready() -> None:
            for product in list(waiting):
                if all(job.name in made.data for job in product.needs):
                    data = {job.name: made.data[job.name] for job in product.needs}
                    made.files[product.name] = product.write(out, data)
                    made.seconds[product.name] = sum(one.attrs.get(kept.SECONDS, 0.0) for one in data.values())
                    display.wrote(made.files[product.name][0])
                    waiting.remove(product)

        write_what_is_ready()
        for job, data, known in _computed(out, jobs, display):
            made.data[job.name] = data
            made.reused += known
            display.finished(job, known)
            write_what_is_ready()
    if everything:
        _forget_others(out, jobs)
    return made


def _forget_others(out: Path, jobs: list[Job]) -> None:
    """Remove groups that are not among the jobs from their stores."""
    wanted = {(job.store, job.group) for job in jobs}
    for store in {job.store for job in jobs}:
        for path in (out / store).iterdir():
            if path.is_dir() and (store, path.name) not in wanted:
                shutil.rmtree(path)


def _workers() -> int:
    """Jobs at a time: two where cores compute, since a compilation keeps one of them busy."""
    return min(2, os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1


def _computed(out: Path, jobs: list[Job], display: "_Display") -> Any:
    """(job, dataset, whether it was there), as they end."""
    workers, left = _workers(), list(jobs)
    running: dict[Future[tuple[xarray.Dataset, bool]], Job] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        while left or running:
            busy = {job.share for job in running.values()} - {""}
            for job in [job for job in left if job.share not in busy]:
                if len(running) < workers and job.share not in busy:
                    left.remove(job)
                    running[pool.submit(_fetch, out, job, display)] = job
                    busy |= {job.share} - {""}
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), *future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetch(out: Path, job: Job, display: "_Display") -> tuple[xarray.Dataset, bool]:
    def make() -> xarray.Dataset:
        display.began(job)
        return job.make(lambda share: display.moved(job, share))

    return kept.fetch(out / job.store, job.group, job.settings, make)


# The rough seconds of jobs are trusted beside the measured ones as if this share of all had taken as long as told.
TRUSTED = 0.25


class _Display:
    """What is being computed and the time left: a bar on a terminal, elsewhere lines as jobs begin and end."""

    def __init__(self, console: Console, jobs: Sequence[Job], workers: int):
        columns = (BarColumn(20), TextColumn("{task.percentage:.0f}%"), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._console, self._begin, self._workers = console, time.monotonic(), workers
        self._shares = dict.fromkeys((job.name for job in jobs), 0.0)
        self._weights = {job.name: job.weight for job in jobs}
        self._known: set[str] = set()
        self._running: list[str] = []
        self._ended = 0
        self._task = self._bar.add_task("", total=sum(self._weights.values()) or 1.0)

    def __enter__(self) -> "_Display":
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def began(self, job: Job) -> None:
        """A job is not there yet and begins."""
        self._running.append(job.name)
        self._refresh()
        if not self._console.is_terminal:
            self._say(f"computing {job.name}{self._left()}")

    def moved(self, job: Job, share: float) -> None:
        """A further share of a job is done."""
        self._shares[job.name] = min(1.0, self._shares[job.name] + share)
        self._refresh()

    def finished(self, job: Job, known: bool) -> None:
        """A job has ended."""
        self._ended += 1
        if known:
            self._known.add(job.name)
        else:
            self._running.remove(job.name)
        self.moved(job, 1.0)
        source = "from an earlier run" if known else f"after {time.monotonic() - self._begin:.0f} s"
        self._say(f"[{self._ended}/{len(self._shares)}] {job.name}, {source}{self._left()}")

    def wrote(self, path: Path) -> None:
        """A figure or table is there."""
        self._say(f"wrote {path}")

    def _refresh(self) -> None:
        done = sum(self._weights[name] * share for name, share in self._shares.items())
        words = f"{'; '.join(self._running)}{self._left()}"
        self._bar.update(self._task, completed=done, description=words)

    def _left(self) -> str:
        """Time left: the weights of what is not done, in seconds as they are passing here."""
        computed = {name: weight for name, weight in self._weights.items() if name not in self._known}
        total = sum(computed.values())
        spent = sum(weight * self._shares[name] for name, weight in computed.items())
        if total - spent <= 1e-9 * total:
            return ""
        trusted = TRUSTED * total
        pace = (time.monotonic() - self._begin + trusted / self._workers) / (spent + trusted)
        return f", about {(total - spent) * pace:.0f} s left"

    def _say(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
        # A log file shows it at once as well.
        self._console.file.flush()

"""A finding, a report of findings, and how they say where in a batch they were made."""

import functools
import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxthermo._results import AbstractResult

WIDTH = 100


@dataclass(frozen=True)
class Finding:
    """Something that may be wrong with a result.

    topic    what it is about, in a word or two: "edge"
    what     what was seen, with numbers
    change   what to change
    """

    topic: str
    what: str
    change: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} {self.change}"


@dataclass(frozen=True)
class Audit:
    """The report of `jt.audit`, which prints itself.

    subject    what was looked at
    findings   what may be wrong with it, the gravest first; empty where nothing was found
    """

    subject: str
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        if not self.findings:
            return f"{self.subject}: nothing found"
        items = [textwrap.fill(str(one), WIDTH, initial_indent="- ", subsequent_indent="  ") for one in self.findings]
        return "\n".join([f"{self.subject}: {len(self.findings)} to look at", *items])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = [[html.escape(text) for text in (one.topic, one.what, one.change)] for one in self.findings]
        rows = "".join(f"<tr><th>{topic}</th><td>{what}</td><td>{change}</td></tr>" for topic, what, change in cells)
        return f"<table><caption>{html.escape(str(self).splitlines()[0])}</caption>{rows}</table>"


# More files register what they know of their results.
@functools.singledispatch
def findings_of(result: AbstractResult) -> Iterator[Finding]:
    """What may be wrong with one kind of result beyond its status; nothing is known of others."""
    return iter(())


def lanes(found: np.ndarray | np.bool_) -> str:
    """ " in 3 of 64 lanes" for a batch, nothing for one lane; `found` says where."""
    count = int(np.sum(found))
    return "" if np.ndim(found) == 0 else f" in {count} of {found.size} lanes"


def worst(values: object, axes: int = 0) -> np.ndarray:
    """The largest magnitude over the last `axes` axes, NaN left out, lane by lane."""
    sizes = np.abs(np.asarray(values))
    reduced = tuple(range(sizes.ndim - axes, sizes.ndim))
    return np.asarray(np.max(np.where(np.isnan(sizes), 0.0, sizes), axis=reduced, initial=0.0))


def largest(values: np.ndarray | np.generic) -> str:
    """The largest of the lanes, for a sentence."""
    return f"{float(np.max(values)):.2g}"

"""What a paper says in words, beside what the numbers say: agree, differ, or cannot be compared, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from jaxthermo.papers.tables import markdown

# What the judges of one paper are given: all its numbers.
Numbers = TypeVar("Numbers")

HEADER = ["where", "the paper says", "verdict", "computed here", "why", "command"]
VERDICTS = {True: "agree", False: "differ", None: "cannot be compared"}


@dataclass(frozen=True)
class Verdict:
    """Whether the numbers bear a claim out (None: they cannot tell), the numbers, and, where they do not, why."""

    holds: bool | None
    computed: str
    why: str = ""


@dataclass(frozen=True)
class Claim(Generic[Numbers]):
    """A claim, where it stands, how it is judged, and which item's numbers show it."""

    where: str
    words: str
    item: str
    judge: Callable[[Numbers], Verdict]


def rows(paper: str, claims: Sequence[Claim[Numbers]], numbers: Numbers) -> list[list[str]]:
    """A line for each claim, in the order of `HEADER`."""
    lines = []
    for claim in claims:
        verdict = claim.judge(numbers)
        command = f"`jaxthermo reproduce {paper} --item {claim.item}`"
        lines.append([claim.where, claim.words, VERDICTS[verdict.holds], verdict.computed, verdict.why, command])
    return lines


def table(title: str, paper: str, claims: Sequence[Claim[Numbers]], numbers: Numbers) -> str:
    """The claims as a Markdown table, and a line that counts the verdicts."""
    lines = rows(paper, claims, numbers)
    counts = {word: sum(line[2] == word for line in lines) for word in VERDICTS.values()}
    total = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"{markdown(title, HEADER, lines)}\n{len(lines)} statements: {total}.\n"

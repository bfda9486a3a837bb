"""docs/latency.md: the waits before and now, beside those that the project asks of itself."""

from typing import Any

from benchmarks import _latency_cases as cases
from jaxthermo.papers.tables import markdown

HEADER = [
    "verb",
    "operations",
    "first call: before",
    "now",
    "wanted",
    "again: before",
    "now",
    "wanted",
    "second process: before",
    "now",
    "wanted",
]
LABELS = {"first": "first calls", "again": "calls again", "second_process": "second processes"}
TEXT = """# How long one waits

JAX compiles a function when it is first called. The table has the CPU seconds of the first call in a new process, of a
second call there with other values, and of the first call in a second process, with `jt.enable_cache()` on; beyond the
import. Two cores: the wall shows up to a half less where XLA compiles in parallel. "wanted" is what the project asks of
itself, and "before" is commit {before}. Operations are those of StableHLO in all programs of the first call; XLA takes
about a millisecond for each.

{table}
{missed}

Importing jaxthermo takes {imports} s of CPU beyond jax and diffrax (before {imports_before} s, wanted
{import_wanted} s). Each part of the library is loaded when it is first asked for; all parts together, without the
pictures, take {loads} s. The columns do not contain them.

Measured on {device} with jax {jax} at commit {commit}{dirty} by `make bench-latency`, which writes this page. Wall
seconds, and those spent tracing, lowering and compiling, are in `benchmarks/results/{slug}/latency.json`.
"""


def page(now: dict[str, Any], before: dict[str, Any], slug: str) -> str:
    """docs/latency.md from two records of this benchmark."""
    old = {row["verb"]: row for row in before["rows"]}
    lines = [_line(row, old.get(row["verb"], {})) for row in now["rows"]]
    return TEXT.format(
        before=before["git_commit"][:7],
        table=markdown("CPU seconds", HEADER, lines),
        missed=_missed(now["rows"]),
        loads=_seconds(min(row["load_cpu"] for row in now["rows"])),
        imports=_seconds(min(row["import_cpu"] for row in now["rows"])),
        imports_before=_seconds(min(row["import_cpu"] for row in before["rows"])),
        import_wanted=cases.IMPORT_WANTED,
        device=now["device"],
        jax=now["jax_version"],
        commit=now["git_commit"][:7],
        dirty=" with changes" if now["git_dirty"] == "true" else "",
        slug=slug,
    )


def _missed(rows: list[dict[str, Any]]) -> str:
    """What is above its target, and where the time of these calls goes."""

    def above(label: str) -> list[dict[str, Any]]:
        return [row for row in rows if row[f"{label}_cpu"] > row[f"{label}_wanted"]]

    counts = [f"{len(rows) - len(above(label))} {word}" for label, word in LABELS.items()]
    said = f"Of {len(rows)} rows these meet what is wanted: {', '.join(counts)}."
    slow, later = above("first"), above("second_process")
    if not slow or not later:
        return said
    traced = [sum(row["trace_wall"] + row["lower_wall"] for row in some) for some in (slow, later)]
    compiling = sum(row["compile_wall"] for row in slow) / sum(row["first_wall"] for row in slow)
    tracing = [
        total / sum(row[name] for row in some)
        for total, some, name in zip(traced, (slow, later), ("first_wall", "second_process_wall"), strict=True)
    ]
    return f"""{said}
Why the others do not: of their first calls {compiling:.0%} is compiling and {tracing[0]:.0%} tracing and lowering.
XLA makes a program of its own of each fused loop, which takes some 20 ms of CPU however small it is: a quantum
equilibrium has 158 of them. Only fewer loops would help; XLA's options for faster compilation change a first call by
less than a twentieth. Of their second processes {tracing[1]:.0%} is tracing and lowering, which no cache keeps; some,
as Carnot's, also compute for seconds."""


def _line(row: dict[str, Any], old: dict[str, Any]) -> list[str]:
    cells = [row["verb"], str(row["operations"])]
    for label in ("first", "again", "second_process"):
        was = _seconds(old[f"{label}_cpu"]) if old else ""
        cells += [was, _seconds(row[f"{label}_cpu"]), f"{row[f'{label}_wanted']:g}"]
    return cells


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"

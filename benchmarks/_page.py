"""docs/benchmarks.md, and the figures of README.md, from the committed records: `python -m benchmarks._page`."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._bench import RESULTS
from benchmarks._figures import PICTURES, draw, picture_of
from jaxthermo.papers.tables import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
# What stands between these lines of README.md is written by this script.
BEGIN, END = "<!-- figures: python -m benchmarks._page -->", "<!-- end of figures -->"

Row = dict[str, Any]
TEXT = """# Benchmarks

Every number here comes from a record in `benchmarks/results/`, made by `make bench` on the device that it names, and
this page from the records, by `python -m benchmarks._page`. Peers run in the same process or beside it, on the same
device, at equal error where there is one. Seconds are medians; what a first call compiles is not among them. dynamiqs
is not among the peers: it solves Lindblad equations, and neither the hierarchy nor its limit of white noise is one.
[How long one waits](latency.md) for compilation is another page. `make bench` fails where a ratio to a peer, a share
of a floor or a number of solves is worse by half than in the last record of the same device.

```bash
make bench        # all, on this machine; writes records and this page
make bench-quick  # smallest sizes, to see that all of it runs; writes nothing
make bench-gpu    # those that have an accelerator's sizes
```

"""

# Operations per step are those of `benchmarks._floor.operations`, for the grids of `scan_throughput` and
# `stirling_cycle`; the card's rates are those of NVIDIA's data sheet for the H100 SXM (67 and 34 Tflop/s in double
# precision with and without tensor cores) and of its shared memory (132 multiprocessors, 128 bytes a cycle, 1.98 GHz).
ON_PAPER = """
## One lane in one block of a GPU, on paper

Would a kernel of our own be faster, which keeps a lane's state in the shared memory of one multiprocessor? The
classical cycles of the scan above take 0.21 Mflop of matrix products and 0.02 million other operations a step, about
257 steps a lane (7.1 periods of 12 pieces, with one step and with two), so 57 Mflop. At 23 000 cycles a second an H100
does 1.3 Tflop/s: 2 % of what its tensor cores can do in double precision.

| limit | Tflop/s | classical cycles/s | times today |
|---|---|---|---|
| tensor cores, double precision | 67 | 1.2 million | 51 |
| without them | 34 | 600 000 | 26 |
| shared memory, tiles of 4 x 4 in registers (2 bytes a flop) | 17 | 300 000 | 13 |

A classical state of 19 x 29 points has 4.4 kB, so that many lanes fit beside each other; a quantum one of 6 members on
37 x 43 points has 76 kB of the 228 kB there are, so two or three do, with 3.8 Mflop a step. A kernel that reaches a
quarter of the third limit would be threefold today's. That makes it worth trying when a GPU is at hand to measure it;
it is not built.
"""


class Table(NamedTuple):
    """One benchmark: what it is about, and its columns."""

    title: str
    about: str
    columns: dict[str, Callable[[Row], str]]


def _text(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row.get(name) is None else str(row[name])


def _thousandth(row: Row, name: str) -> str:
    return "" if row.get(name) is None else f"{row[name] / 1000.0:.3g}"


def _number(name: str, digits: int = 3) -> Callable[[Row], str]:
    return lambda row: _short(row.get(name), digits)


def _short(value: Any, digits: int = 3) -> str:
    return "" if value is None or isinstance(value, str) else f"{value:.{digits}g}"


def _over(name: str) -> Callable[[Row], str]:
    """The inverse of a ratio of times: how many times as fast."""
    return lambda row: _short(1.0 / row[name], 3) if row.get(name) else ""


TABLES = {
    "potts_scan": Table(
        "Rings: trajectories of many lanes",
        "A lane is one temperature of a driven ring, from near one state to t = 20, at an error of 1e-6.",
        {
            "q": _text("q"),
            "method": _text("method"),
            "error": _number("error", 2),
            "steps": _number("steps_mean"),
            "seconds": _number("run_seconds"),
            "lanes/s": _number("lanes_per_second"),
            "times numba": _over("ratio_to_numba"),
            "in CPU seconds": _over("cpu_ratio_to_numba"),
            "of the floor": _number("of_floor", 2),
        },
    ),
    "floors": Table(
        "Hot loops: share of the least time",
        "Operations counted from each loop's program, times the rates that this machine reaches for exponentials, "
        "divisions, simple operations and matrix products in the same run, on one core. "
        "Of dgemm: the rate of a loop's matrix products, as if nothing else took time, over that of one large product. "
        "Each of 16 lanes of depth 7 takes about as long in turn, by `jax.lax.map`, as together, by `jax.vmap`.",
        {
            "loop": _text("loop"),
            "floor, us": _number("floor_microseconds"),
            "measured, us": _number("microseconds"),
            "share": _number("of_floor", 2),
            "of dgemm": _number("of_dgemm", 2),
        },
    ),
    "scaling": Table(
        "Cost and size",
        "Processor time over size, and the exponent of the power law that fits each family.",
        {
            "family": _text("family"),
            "size": _number("size", 5),
            "CPU seconds": _number("cpu_seconds"),
            "exponent": _number("exponent", 3),
            "expected": _number("expected", 3),
        },
    ),
    "work_precision": Table(
        "Error and time",
        "Processor time of each error: rings against a hand-written loop and a vmapped diffrax, one quantum cycle "
        "against explicit RK4 on the published hierarchy, whose first number of steps is the least stable one. The "
        "cycle runs on a mesh that is too coarse for the library's promise, where explicit steps may be long.",
        {
            "family": _text("family"),
            "method": _text("method"),
            "steps or tolerance": _number("control"),
            "error": _number("error", 2),
            "CPU seconds": _number("cpu_seconds"),
        },
    ),
    "gillespie": Table(
        "Rings: exact trajectories of N units",
        "A driven ring (q = 3) of N units, from one state; jumps of all trajectories.",
        {
            "units": _text("units"),
            "method": _text("method"),
            "trajectories": _text("trajectories"),
            "jumps/s": _number("jumps_per_second"),
            "slower than the library": _number("ratio_to_library"),
        },
    ),
    "stirling_cycle": Table(
        "Oscillator: one quantum Stirling cycle",
        "To a work error of 1e-4, at the three couplings of the paper; against explicit RK4 on the published "
        "hierarchy, at its largest stable step.",
        {
            "A": _text("strength"),
            "method": _text("method"),
            "depth": _text("depth"),
            "steps": _text("steps"),
            "truncation error": _number("truncation_error", 2),
            "seconds": _number("run_seconds"),
            "times RK4": _number("ratio_to_rk4"),
        },
    ),
    "equilibrium_vs_qutip": Table(
        "Oscillator: equilibrium with its bath",
        "The displacement X at beta = A = 1; against QuTiP's direct solve in the number basis.",
        {
            "method": _text("method"),
            "depth": _text("depth"),
            "error": _number("error", 2),
            "seconds": _number("run_seconds"),
            "CPU seconds": _number("cpu_seconds"),
            "slower than the library": _number("ratio_to_library"),
        },
    ),
    "equilibrium_cold": Table(
        "Oscillator: equilibrium from hot to cold",
        "The displacement X over temperature and coupling, K = 2: QuTiP's direct solve at two sizes, and beside it the "
        "quickest solve of the library with no larger error, on a phase grid and among levels. Times as fast: the "
        "quicker of the two. By itself: until it knows its own error, below 1e-6, from levels and depth that grow.",
        {
            "beta": _text("beta"),
            "A": _text("strength"),
            "QuTiP's depth": _text("depth"),
            "levels": _text("levels"),
            "error": _number("error", 2),
            "CPU seconds": _number("cpu_seconds"),
            "grid's error": _number("grid_error", 2),
            "grid's seconds": _number("grid_cpu_seconds"),
            "levels' error": _number("levels_error", 2),
            "levels' seconds": _number("levels_cpu_seconds"),
            "times as fast": _number("ratio_to_library"),
            "by itself, seconds": _number("searched_cpu_seconds"),
        },
    ),
    "minimum_work": Table(
        "Search: processes of least work",
        "Towards 20 points of a cycle, against Nelder-Mead on the same compiled objective.",
        {
            "point": _text("time"),
            "work": _number("value", 5),
            "Nelder-Mead's": _number("nelder_mead_value", 5),
            "propagations": _number("solves"),
            "Nelder-Mead's ": _number("nelder_mead_solves"),
            "seconds": _number("run_seconds"),
            "Nelder-Mead's  ": _number("nelder_mead_seconds"),
        },
    ),
    "scan_throughput": Table(
        "Scans with a store",
        "Against the bare vmapped function on the same chunks. Memory of a lane: as estimated from the program, which "
        "decides how many lanes are computed at a time, and as planned by XLA.",
        {
            "case": _text("case"),
            "lanes": _text("lanes"),
            "chunks": _text("chunks"),
            "seconds": _number("scan_seconds"),
            "lanes/s": _number("lanes_per_second"),
            "of the bare speed": _number("ratio"),
            "in CPU seconds": _number("cpu_ratio"),
            "kB a lane, said": lambda row: _thousandth(row, "lane_bytes_said"),
            "planned": lambda row: _thousandth(row, "lane_bytes_planned"),
            "load": _number("load", 2),
        },
    ),
    "scan_dask": Table(
        "Scans on a cluster of dask",
        "Chunks of almost no work, by workers on this machine; overhead is what a chunk takes beyond one process's. "
        "Seconds by the clock mean little where the load is above the number of cores.",
        {
            "workers": _text("workers"),
            "chunks": _text("chunks"),
            "seconds": _number("seconds"),
            "one process": _number("alone_seconds"),
            "CPU seconds": _number("cpu_seconds"),
            "one process's": _number("alone_cpu_seconds"),
            "overhead, ms a chunk": _number("overhead_ms", 2),
            "load": _number("load", 2),
        },
    ),
}


def records() -> dict[str, dict[str, dict[str, Any]]]:
    """All records that have a table: by benchmark, then by the folder of their device."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in TABLES:
        paths = sorted(RESULTS.glob(f"*/{name}.json"))
        found[name] = {path.parent.name: json.loads(path.read_text()) for path in paths}
    return found


def page(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The whole of docs/benchmarks.md."""
    sections = []
    for name, table in TABLES.items():
        devices = [_device(table, name, slug, record) for slug, record in found[name].items()]
        if devices:
            sections.append(f"## {table.title}\n\n{table.about}\n\n" + "\n".join(devices))
    return TEXT + "\n".join(sections) + ON_PAPER


def _device(table: Table, name: str, slug: str, record: dict[str, Any]) -> str:
    used = {head: cell for head, cell in table.columns.items() if any(cell(row) for row in record["rows"])}
    lines = [[cell(row) for cell in used.values()] for row in record["rows"]]
    where = f"{record['device']}"
    if record["device_platform"] != "cpu":
        where += f", beside {record['host_cpu']}, {record['host_cores']} cores"
    made = (
        f"jax {record['jax_version']}, {record['dtype']}, {record['date_utc'][:10]}, commit {record['git_commit'][:7]}"
    )
    picture = f"\n![{table.title}](figures/{picture_of(name, slug)})\n" if name in PICTURES else ""
    return f"#{markdown(where, list(used), lines)}{picture}\n{made}: `benchmarks/results/{slug}/{name}.json`\n"


def readme(text: str, figures: str) -> str:
    """README.md with these figures between their marks."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"README.md must have one pair of {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{figures}\n\n{END}", text)


def main() -> None:
    """Write both."""
    from benchmarks._readme import figures

    found = records()
    for name in PICTURES:
        for slug, record in found[name].items():
            draw(name, slug, record["rows"])
    PAGE.write_text(page(found))
    README.write_text(readme(README.read_text(), figures(found)))
    print(PAGE, README, sep="\n")


if __name__ == "__main__":
    main()

"""`make audit`: many draws, each kept as a line of a file, so that a run can be stopped and taken up; and a report."""

import argparse
import collections
import gc
import json
import time
import traceback
from pathlib import Path
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)

import jaxthermo as jt
from jaxthermo.provenance import checkout, provenance

from . import draws, judge

FOLDER = Path(__file__).resolve().parents[2]
CRASH = "crash"
# XLA maps pages for each function that it compiles, and crashes where the kernel allows no more.
MAPPINGS, MOST_MAPPINGS = Path("/proc/self/maps"), 30_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=draws.count())
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long; call again to go on")
    parser.add_argument("--kept", type=Path, default=Path(__file__).with_name("record.jsonl"))
    parser.add_argument("--again", action="store_true", help="ask once more what did not come out right")
    parser.add_argument("--report", type=Path, default=FOLDER / "docs" / "audit.md")
    asked = parser.parse_args()
    jt.enable_cache()
    asked.kept.parent.mkdir(parents=True, exist_ok=True)
    known = {row["seed"] for row in rows_of(asked.kept) if not asked.again or row["outcome"] == judge.RIGHT}
    end, commit = time.monotonic() + 60.0 * asked.minutes, checkout()[0]
    for seed in range(asked.draws):
        if seed in known:
            continue
        if time.monotonic() > end:
            break
        row = one(seed) | {"commit": commit}
        with asked.kept.open("a") as kept:
            kept.write(json.dumps(row) + "\n")
        spent = f"{row['seconds']:.1f} and {row['reference']:.1f} s"
        print(seed, row["kind"], row["outcome"], row["words"], spent, flush=True)
        if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
            jax.clear_caches()
            gc.collect()
    asked.report.write_text(report(rows_of(asked.kept), asked.draws))


def rows_of(kept: Path) -> list[dict[str, Any]]:
    """The draws, each as it was asked last."""
    if not kept.exists():
        return []
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    return list({row["seed"]: row for row in rows}.values())


def one(seed: int) -> dict[str, Any]:
    """One draw and its verdict; an error other than a refusal is one of the library's own, and counts as a crash."""
    kind, p = draws.question(seed)
    begin = time.process_time()
    try:
        verdict = judge.judge(kind, p)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {str(error)[:100]} ({Path(where.filename).name}:{where.lineno})"
        verdict = judge.Verdict(CRASH, float("nan"), words, time.process_time() - begin, 0.0)
    return {"seed": seed, "kind": kind, **verdict._asdict()}


HEAD = """# An audit by random draws

Written by `make audit`; the rules are in `tests/audit/`. Each draw has a seed of its own and asks one verb, with its
defaults, at parameters from the whole range: beta 0.05 to 10 (anharmonic quantum wells: 0.3 to 10), A 0.01 to 2, K 0 to
4, single and double wells, ramps that last from 0.001 to 3, rings with any law of rates. An answer is *right* where it
agrees with an independent reference to what the verb promises, *rightly refused* where it says that the equation has no
state of a particle (too few poles), or that no grid is enough for a cycle, and a reference shows that no such state or
stationary cycle exists, an *honest failure* where its status is another than
ok, and *wrong and ok* where it is none of these. *No reference*: the reference itself did not converge, so nothing was
decided. Seeds from 1000 on ask kinds that were added later, in turn, those from 1040 on cycles of splines, pieces and
callables, baths that are switched, prepared states, searches, and of units their fluctuations, trajectories, folds,
branches, noise and locking, and those from 1210 on N units in time, their work theorem, cycle affinities, units on
lattices, canonical states, density matrices, fields of equal entropy and ramps of least work, those from 1480 on
fluctuations of work, those from 1510 on slow ramps and transformed correlations, those from 1570 on quantum drives
with A up to 2, up to four poles and beta from 0.3 to 10, those from 1600 on cycles of classical and quantum wells, with
jumps or without, of `tol` 1e-5. A mean of trajectories is right within five standard errors.
"""
COLUMNS = (judge.RIGHT, judge.REFUSED, judge.HONEST, judge.UNKNOWN, judge.WRONG, CRASH)


def report(rows: list[dict[str, Any]], wanted: int) -> str:
    """What was found, as a page of the documentation."""
    here = provenance({})
    versions = ", ".join(f"{name[:-8]} {here[name]}" for name in here if name.endswith("_version"))
    seeds = [row["seed"] for row in rows] or [0]
    commits = collections.Counter(row["commit"][:9] for row in rows)
    lines = [
        HEAD,
        f"{len(rows)} of {wanted} draws, seeds {min(seeds)} to {max(seeds)}; {versions}; {here['device_kind']}.",
        f"Commits, with their draws: {', '.join(f'{name} {count}' for name, count in commits.most_common())}.",
        "",
        *_table(rows),
    ]
    lines += ["", "CPU seconds of the library's calls, with compilation where a shape came for the first time; of the"]
    lines += ["reference, the mean.", ""]
    lines += _reasons(rows)
    bad = [row for row in rows if row["outcome"] in (judge.WRONG, CRASH)]
    lines += (
        ["## Wrong and ok, and crashes", ""] if bad else ["None of the draws was wrong and ok, and none crashed.", ""]
    )
    for row in bad:
        lines.append(f"- seed {row['seed']}, {row['kind']}: {row['error']:.2g} times what is promised; {row['words']}")
        lines.append(f"  `{json.dumps(draws.question(row['seed'])[1])}`")
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each kind that was asked, and one for all."""
    lines = [
        f"| verb | draws | {' | '.join(COLUMNS)} | CPU s, median and largest | CPU s of the reference |",
        "|" + "---|" * (4 + len(COLUMNS)),
    ]
    for kind in [*draws.KINDS, None]:
        own = [row for row in rows if kind in (None, row["kind"])]
        counts = collections.Counter(row["outcome"] for row in own)
        seconds = sorted(row["seconds"] for row in own) or [0.0]
        spent = f"{seconds[len(seconds) // 2]:.2f}, {seconds[-1]:.1f}"
        spent += f" | {sum(row['reference'] for row in own) / max(len(own), 1):.2f}"
        lines.append(f"| {kind or 'all'} | {len(own)} | {' | '.join(str(counts[o]) for o in COLUMNS)} | {spent} |")
    return lines


def _reasons(rows: list[dict[str, Any]]) -> list[str]:
    counts = collections.Counter((row["kind"], row["words"][:60]) for row in rows if row["outcome"] == judge.HONEST)
    table = [f"| {kind} | {words} | {count} |" for (kind, words), count in sorted(counts.items())]
    return ["## Honest failures", "", "| verb | status | draws |", "|---|---|---|", *table, ""]


if __name__ == "__main__":
    main()

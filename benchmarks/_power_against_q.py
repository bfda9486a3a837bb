"""Fig. 4 of Herpich & Esposito again: `python -m benchmarks._power_against_q Q ...`.

The q that are named are computed anew, by `jt.potts.maximum_power`, into the record; from the record the table of
docs/potts.md is written. Without a name the table alone.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax

import jaxthermo as jt
from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place, Side
from jaxthermo.provenance import checkout, provenance

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "results" / "power_against_q.json", ROOT / "docs" / "potts.md"
BEGIN, END = "<!-- table: python -m benchmarks._power_against_q -->", "<!-- end of table -->"
# Of the paper: u, G and f1.
SETTING = (-1.0, 0.1, 1.0)
# Beside the maximum and beside beta_c1 the best load is looked for again, so far away in beta; where the paper has q.
ASIDE, PAPER = 0.01, range(2, 7)
SAID = {
    2: "efficiency near 1/2",
    3: "jump of the power from 2; efficiency near 1/2",
    4: "plateau of the power from 3",
    5: "jump of the power from 4",
    6: "plateau of the power from 5",
}
HEADS = {
    "maxima": ("q", "largest power", "efficiency", "beta", "where it lies", "next below", "in the paper", "CPU s"),
    "beside": ("q", "beta", "beside", "power", "efficiency", "kind"),
}


def computed(q: int) -> dict[str, Any]:
    """The maximum, all its runners-up, and for a q of the paper what is found a little to either side."""
    begin = time.process_time()
    best = jt.potts.maximum_power(q, *SETTING, progress=False)
    spent = time.process_time() - begin
    rows = zip(best.powers, best.efficiencies, best.betas, best.phases, best.places, best.sides, strict=True)
    names = ("power", "efficiency", "beta", "phase", "place", "side")
    return {
        "q": q,
        "status": jt.Status(int(best.status)).word,
        "cpu_seconds": spent,
        "ties": best.ties,
        "maxima": [dict(zip(names, map(float, row), strict=True)) for row in rows],
        "beside": [_beside(q, float(best.beta), *at) for at in _neighbours(q, best)] if q in PAPER else [],
        "commit": checkout()[0],
    }


def _neighbours(q: int, best: jt.potts.MaximumPower) -> list[tuple[str, float]]:
    onset, at_onset = float(q) / -SETTING[0], best.place is Place.onset
    centres = {"beta_c1": onset} | ({} if at_onset else {"the maximum": float(best.beta)})
    return [(name, centre * (1.0 + side)) for name, centre in centres.items() for side in (-ASIDE, ASIDE)]


def _beside(q: int, at: float, name: str, beta: float) -> dict[str, Any]:
    near = jt.potts.maximum_power(q, *SETTING, beta, progress=False)
    return {
        "beside": name,
        "beta": beta,
        "power": float(near.power),
        "efficiency": float(near.efficiency),
        "kind": str(near.kind),
        "status": jt.Status(int(near.status)).word,
    }


def table(record: dict[str, Any]) -> str:
    """The maxima of all q, and their neighbourhoods."""
    found = [record["q"][name] for name in sorted(record["q"], key=int)]
    return "\n\n".join(
        _lines(HEADS[name], [row for one in found for row in rows(one)])
        for name, rows in (("maxima", _maximum), ("beside", _sides))
    )


def _lines(head: tuple[str, ...], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (list(head), ["---"] * len(head), *rows))


def _maximum(one: dict[str, Any]) -> list[list[str]]:
    best, *others = one["maxima"]
    codes = ((Phase, "phase"), (Place, "place"), (Side, "side"))
    phase, place, side = (code(int(best[key])).word for code, key in codes)
    below = f"{1.0 - others[0]['power'] / best['power']:.2%}" if others else "none found"
    said = [SAID.get(one["q"], ""), f"{one['cpu_seconds']:.0f}"]
    numbers = [f"{best['power']:.6f}", f"{best['efficiency']:.4f}", f"{best['beta']:.3f}"]
    words = ", ".join(word for word in (phase, place, side) if word != Side.at_it.word)
    if one["status"] != "ok":
        words = f"{one['status']}: {words}"
    return [[str(one["q"]), *numbers, words, below, *said]]


def _sides(one: dict[str, Any]) -> list[list[str]]:
    return [
        [
            str(one["q"]),
            f"{row['beta']:.3f}",
            row["beside"],
            f"{row['power']:.6f}",
            f"{row['efficiency']:.4f}",
            row["kind"] if row["status"] == "ok" else f"{row['kind']}, {row['status']}",
        ]
        for row in one["beside"]
    ]


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"q": {}}
    for q in map(int, sys.argv[1:]):
        record["q"][str(q)] = computed(q)
        origin = provenance({})
        del origin["parameters"]
        RECORD.write_text(json.dumps(origin | {"setting": SETTING, "q": record["q"]}, indent=1) + "\n")
        print(q, record["q"][str(q)], flush=True)
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(record)}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()

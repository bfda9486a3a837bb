"""Tables of works and of entropy produced."""

import xarray

from jaxthermo.papers.engine.data import TABLE_4
from jaxthermo.papers.engine.numbers import Cases
from jaxthermo.papers.tables import markdown

HEADER = ["cycle", "kind", "A", "W", "W in Table 4", "difference / half of its last digit", "heat absorbed"]
HEADER += ["efficiency", "error of the time step", "first law", "status"]


def works(cycles: Cases, on_the_papers_mesh: Cases) -> str:
    """Works per cycle beside Table 4, whose cycle only the inferred one stands for."""
    lines = []
    for (cycle, kind, strength), data in cycles.items():
        work, printed = float(data.work), TABLE_4[kind, strength]
        steps = data.cumulative_heat.diff("time")
        heat = float(steps.where(steps > 0).sum())
        beside = [f"{printed.work:.2e}", f"{(work - printed.work) / printed.rounding:+.2f}"]
        numbers = [f"{heat:.4f}", f"{-work / heat:.4f}" if work < 0 else "no engine"]
        checks = [f"{float(data[name]):.0e}" for name in ("step_error", "first_law_residual")]
        line = [cycle, kind, f"{strength:g}", f"{work:.5e}", *(beside if cycle == "inferred" else ["", ""]), *numbers]
        if on_the_papers_mesh:
            line.append(f"{float(on_the_papers_mesh[cycle, kind, strength].work):.5e}")
        lines.append([*line, *checks, str(data.attrs["status"])])
    header = [*HEADER[:8], *(["W on the paper's mesh"] if on_the_papers_mesh else []), *HEADER[8:]]
    note = (
        "The paper's schedules are a picture, so that our own cycle cannot be compared with Table 4; the inferred one "
        "was found by `jaxthermo infer-protocol` so that it has these works: one cycle can have them all."
    )
    return f"{markdown('Work per cycle', header, lines)}\n{note}\n"


def slower(data: xarray.Dataset) -> str:
    """Entropy produced against the length of the isothermal strokes."""
    lengths, produced = data.isothermal.values, data.entropy_produced.values
    lines = [[f"{length:g}", f"{each:.5f}"] for length, each in zip(lengths, produced, strict=True)]
    return markdown("Entropy produced per cycle", ["length of the isothermal strokes", "entropy produced"], lines)

"""Pictures of results: each function takes a result or its dataset, and Matplotlib axes, and gives axes back."""

try:
    import matplotlib as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("`jt.plot` needs Matplotlib: pip install 'jaxthermo[plot]'", name=error.name) from None

from jaxthermo.plot.engines import cycle, protocol, ts_diagram, work_diagram
from jaxthermo.plot.fluctuations import rate_function, spectrum, trajectories
from jaxthermo.plot.phase_space import wigner, wigner_animation
from jaxthermo.plot.rings import attractor, basins, branch, phase_diagram, portrait
from jaxthermo.plot.scans import pareto, scan, search
from jaxthermo.plot.styles import style

__all__ = [
    "attractor",
    "basins",
    "branch",
    "cycle",
    "pareto",
    "phase_diagram",
    "portrait",
    "protocol",
    "rate_function",
    "scan",
    "search",
    "spectrum",
    "style",
    "trajectories",
    "ts_diagram",
    "wigner",
    "wigner_animation",
    "work_diagram",
]


def __dir__() -> list[str]:
    return sorted(__all__)

"""Pictures of results: each function takes a result or its dataset, and Matplotlib axes, and gives axes back."""

from jaxthermo.plot.engines import cycle as cycle
from jaxthermo.plot.engines import protocol as protocol
from jaxthermo.plot.engines import ts_diagram as ts_diagram
from jaxthermo.plot.engines import work_diagram as work_diagram
from jaxthermo.plot.fluctuations import rate_function as rate_function
from jaxthermo.plot.fluctuations import spectrum as spectrum
from jaxthermo.plot.fluctuations import trajectories as trajectories
from jaxthermo.plot.phase_space import wigner as wigner
from jaxthermo.plot.phase_space import wigner_animation as wigner_animation
from jaxthermo.plot.rings import attractor as attractor
from jaxthermo.plot.rings import basins as basins
from jaxthermo.plot.rings import branch as branch
from jaxthermo.plot.rings import phase_diagram as phase_diagram
from jaxthermo.plot.rings import portrait as portrait
from jaxthermo.plot.scans import pareto as pareto
from jaxthermo.plot.scans import scan as scan
from jaxthermo.plot.scans import search as search
from jaxthermo.plot.style import style as style

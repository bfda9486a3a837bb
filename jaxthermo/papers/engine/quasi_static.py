"""Work of an infinitely slow cycle against the coupling: the claim of the companion paper, arXiv 2408.01083.

W = -closed integral of X(beta, x) dx over equilibria, by Gauss-Legendre quadrature between the corners of the cycle.
"""

import itertools
from typing import Any

import jax
import numpy as np
import xarray
from matplotlib.figure import Figure

from jaxthermo._status import Status
from jaxthermo.brownian import OhmicBath, PhaseGrid, Polynomial, classical_oscillator, equilibrium, quantum_oscillator
from jaxthermo.papers.engine.data import LABELS, POTENTIAL, our_cycle
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.style import PALETTE, caption, figure, panel_title
from jaxthermo.protocols import StirlingCycle
from jaxthermo.solve.lanes import map_lanes

COUPLINGS, COARSE_COUPLINGS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0), (0.5, 1.0, 1.5)
# None stands for the classical oscillator.
POLES, COARSE_POLES = (None, 1, 2, 3), (None, 1, 2)
NODES, COARSE_NODES = 6, 2
# Equilibria at strong coupling need more levels than a driven state in which they are never quite reached.
MESH, DEPTH = PhaseGrid(5.4, 0.24, 9.45, 0.35), 4
# At the cold end of the inferred cycle no depth that a first look affords is enough.
CYCLES = {"own": our_cycle}
# Lanes of one program: the states of one coupling take about as long as one another.
CHUNK = 4


def path_of(cycle: StirlingCycle, nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """beta, x and the weights of dx at the nodes of every piece in which x moves."""
    knots = np.asarray(cycle.knots())
    unit, weight = np.polynomial.legendre.leggauss(nodes)
    betas, fields, weights = [], [], []
    for start, end in itertools.pairwise(knots):
        step = float(cycle.x(end - 1e-9 * (end - start)) - cycle.x(start + 1e-9 * (end - start)))
        if abs(step) < 1e-9:
            continue
        times = 0.5 * (start + end) + 0.5 * (end - start) * unit
        betas += [float(cycle.beta(t)) for t in times]
        fields += [float(cycle.x(t)) for t in times]
        weights += (0.5 * step * weight).tolist()
    return np.array(betas), np.array(fields), np.array(weights)


def points_of(nodes: int) -> int:
    """How many equilibria one coupling takes."""
    return sum(len(path_of(make(), nodes)[0]) for make in CYCLES.values())


def works(poles: int | None, couplings: tuple[float, ...], nodes: int, advance: Any = None) -> xarray.Dataset:
    """Quasi-static work over the coupling, with this number of poles, or classically."""
    paths = {name: path_of(make(), nodes) for name, make in CYCLES.items()}
    beta, x = (np.concatenate([path[i] for path in paths.values()]) for i in (0, 1))
    count = len(beta)
    lanes = [np.tile(beta, len(couplings)), np.tile(x, len(couplings)), np.repeat(couplings, count)]

    def mean(beta: Any, x: Any, strength: Any) -> Any:
        return _equilibria(poles, beta, x, strength)

    X, ok = map_lanes(mean, *lanes, chunk=CHUNK, advance=advance)
    X = np.where(ok, X, np.nan).reshape(len(couplings), count)
    result, first = [], 0
    for _, _, weight in paths.values():
        result.append(-(X[:, first : first + len(weight)] @ weight))
        first += len(weight)
    variables = {"work": (("cycle", "coupling"), np.array(result), "energy", "quasi-static work per cycle")}
    coords = {
        "cycle": ("cycle", list(paths), "1", "cycle"),
        "coupling": ("coupling", list(couplings), "1/time^(1/2)", "coupling A"),
    }
    return labelled(variables, coords)


def _equilibria(poles: int | None, betas: Any, fields: Any, strengths: Any) -> tuple[Any, Any]:
    """<X> of the equilibria, and whether they are to be trusted as far as the state at hand shows."""

    def one(beta: jax.Array, x: jax.Array, strength: jax.Array) -> tuple[jax.Array, jax.Array]:
        potential = Polynomial(POTENTIAL)
        if poles is None:
            model = classical_oscillator(potential, strength, MESH)
        else:
            model = quantum_oscillator(potential, OhmicBath(strength, poles, DEPTH), grid=MESH)
        state = equilibrium(model, beta, x)
        return state.X, state.status == int(Status.ok)

    return jax.jit(jax.vmap(one))(betas, fields, strengths)


def draw(found: dict[int | None, xarray.Dataset]) -> Figure:
    """Quasi-static work against A, for every number of poles."""
    fig, axes = figure(1, len(CYCLES), height=3.9)
    for index, (name, panel) in enumerate(zip(CYCLES, axes, strict=True)):
        for hue, (poles, data) in zip((*PALETTE,), found.items(), strict=False):
            label, line = ("classical", "--") if poles is None else (f"quantum, $K={poles}$", "-")
            panel.plot(data.coupling, -data.work.sel(cycle=name), line, color=hue, marker="o", ms=3.5, label=label)
        panel.set(xlabel=r"coupling $A$  [time$^{-1/2}$]", ylabel=r"work given away, $-W_{\rm qst}$  [energy]")
        panel_title(panel, index, LABELS[name].split(",")[0].lower().removeprefix("a "))
    axes[0].legend(fontsize=8)
    caption(
        fig,
        r"Work of an infinitely slow cycle, $W=-\oint X_{\rm eq}\,dx$; Kramers, and hierarchy of depth "
        f"{DEPTH} with $K$ poles;\n$U=0.1q^2+0.02q^3+0.05q^4$.",
    )
    return fig

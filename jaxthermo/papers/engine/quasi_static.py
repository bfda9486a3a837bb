"""Work of an infinitely slow cycle against the coupling: the claim of the companion paper, arXiv 2408.01083.

W = -closed integral of X(beta, x) dx over equilibria, by Gauss-Legendre quadrature between the corners of the cycle.
"""

import itertools
from typing import Any

import numpy as np
import xarray
from matplotlib.figure import Figure

from jaxthermo.brownian import Polynomial, classical_oscillator, quantum_oscillator
from jaxthermo.brownian.equilibria.equilibria import state_at
from jaxthermo.papers.engine.data import LABELS, POTENTIAL, our_cycle
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title
from jaxthermo.protocols import StirlingCycle

COUPLINGS, COARSE_COUPLINGS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0), (0.5, 1.0, 1.5)
# None stands for the classical oscillator.
POLES, COARSE_POLES = (None, 1, 2, 3), (None, 1, 2)
NODES, COARSE_NODES = 6, 2
# At the cold end of the inferred cycle no depth that a first look affords is enough.
CYCLES = {"own": our_cycle}


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
    X = np.full((len(couplings), count), np.nan)
    for i, strength in enumerate(couplings):
        for j in range(count):
            X[i, j] = _mean(poles, float(beta[j]), float(x[j]), strength)
            if advance is not None:
                advance(1)
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


def _mean(poles: int | None, beta: float, x: float, strength: float) -> float:
    """<X> of the equilibrium on a mesh and at a depth chosen for it; NaN where it is not to be trusted."""
    potential = Polynomial(POTENTIAL)
    if poles is None:
        model = classical_oscillator(potential, strength)
    else:
        model = quantum_oscillator(potential, strength, poles=poles)
    # Without a warning: the figure leaves such points out.
    state = state_at(model, beta, x, progress=False)
    return float(state.X) if state.ok else float("nan")


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
        r"Work of an infinitely slow cycle, $W=-\oint X_{\rm eq}\,dx$; Kramers, and hierarchy with $K$ poles, mesh and "
        "depth\nchosen for each equilibrium; $U=0.1q^2+0.02q^3+0.05q^4$.",
    )
    return fig

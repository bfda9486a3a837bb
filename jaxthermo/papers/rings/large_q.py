"""Large q: the range of temperatures in which the ring behaves as if its units did not interact."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray
from matplotlib.figure import Figure

from jaxthermo.papers.rings.lanes import COUPLING, FORCE, POWER, PREFACTOR, attractors, labelled, onset
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title
from jaxthermo.potts import Phase, PottsRing, phases, spectrum, uniform_work_current
from jaxthermo.potts.converter import MANY_ROUNDS
from jaxthermo.solve.lean import lean_jit

STATES = (2, 3, 4, 6, 8, 16, 32, 64)
# Rings whose attractors are looked at, and where, in units of beta_c1 = q.
FOLLOWED, COARSE_FOLLOWED = (7, 8, 12, 16, 24), (7,)
SHARES = np.array([0.25, 0.5, 0.75, 0.9])
LARGEST = 80.0


def growth(states: tuple[int, ...] = STATES) -> xarray.Dataset:
    """The fastest growth of a perturbation of the uniform state over beta and q, relative to the rates; exact."""
    betas = np.linspace(0.1, LARGEST, 400)
    rates = 2.0 * PREFACTOR * np.cosh(0.5 * betas * FORCE)
    fastest = np.stack([_fastest(q, betas) / rates for q in states])
    variables = {
        "growth": (("q", "beta"), fastest, "1", "fastest growth rate over the hop rates of the uniform state"),
        "onset": ("q", [onset(q) for q in states], "1/energy", "beta_c1"),
    }
    coords = {
        "q": ("q", list(states), "1", "number of states"),
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
    }
    return labelled(variables, coords)


def _fastest(q: int, betas: np.ndarray) -> np.ndarray:
    ring = PottsRing(q, COUPLING, FORCE, PREFACTOR)
    found = lean_jit(lambda betas: jax.vmap(lambda beta: spectrum(ring, beta))(betas))(jnp.asarray(betas))
    return np.max(np.asarray(found).real[:, 1:], axis=1)


def noninteracting(q: int, advance: Any = None) -> xarray.Dataset:
    """Attractors from P_1 = 1 at shares of beta_c1, attracting and repelling, beside the single unit."""
    betas = onset(q) * SHARES
    forces = np.full(len(betas), FORCE)
    found = [
        attractors(q, betas, forces, advance, coupling=sign * COUPLING, rounds=MANY_ROUNDS) for sign in (1.0, -1.0)
    ]
    ring = PottsRing(q, COUPLING, FORCE, PREFACTOR)
    single = jax.vmap(lambda beta: uniform_work_current(ring, beta))(jnp.asarray(betas))
    axes = ("coupling", "beta")
    variables = {
        "work_current": (axes, [np.asarray(one.work_current) for one in found], POWER, "work current per unit"),
        "phase": (axes, [np.asarray(phases(one)) for one in found], "1", "phase reached"),
        "uniform_work_current": ("beta", single, POWER, "work current of a single unit, Eq. (10)"),
    }
    coords = {
        "coupling": ("coupling", [COUPLING, -COUPLING], "energy", "coupling u"),
        "beta": ("beta", betas, "1/energy", "inverse temperature"),
    }
    return labelled(variables, coords)


def draw(data: xarray.Dataset, followed: dict[int, xarray.Dataset]) -> Figure:
    """Growth rates over beta, and beta_c1 over q with the rings that were followed."""
    fig, (left, right) = figure(1, 2, height=3.8)
    for hue, q in zip((*PALETTE, "#882255", "#44aa99"), data.q.values, strict=False):
        one = data.sel(q=q)
        left.plot(one.beta, one.growth, color=hue, lw=1.1, label=f"$q={int(q)}$")
    left.axhline(0.0, color="black", lw=0.6)
    left.set(xlabel=r"inverse temperature $\beta$  [1/energy]", ylabel="fastest growth / hop rate", ylim=(-2.0, 2.5))
    left.legend(ncols=2, fontsize=7.5)
    right.plot(data.q, data.onset, color="black", lw=1.0, label=r"$\beta_{c1}=-q/u$")
    for q, one in followed.items():
        for sign, marker in ((0, "o"), (1, "x")):
            uniform = (one.phase[sign] == Phase.uniform).values
            right.plot(np.full(uniform.sum(), q), one.beta[uniform], marker, color=PALETTE[1 + sign], ms=5)
    for marker, hue, word in (("o", PALETTE[1], "attraction: uniform"), ("x", PALETTE[2], "repulsion: uniform")):
        right.plot([], [], marker, color=hue, label=word)
    right.set(xlabel="number of states $q$", ylabel=r"$\beta$  [1/energy]")
    right.legend(fontsize=8)
    panel_title(left, 0, "stability of the uniform state")
    panel_title(right, 1, "where interactions do nothing")
    caption(fig, f"$u={COUPLING:g}$, $f={FORCE:g}$, $\\Gamma={PREFACTOR:g}$; (b) start $P_1=1$.")
    return fig

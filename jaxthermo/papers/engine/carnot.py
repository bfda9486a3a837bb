"""Efficiency of a Carnot cycle against the coupling, which the paper sets against its Stirling engine.

A classical parabola whose stiffness is the field, X = -q^2/2, has closed equations for <q^2>, <qp>, <p^2>, so that the
efficiency is exact. Each bath b is coupled through its window w_b(t), with friction g w_b d(w_b q)/dt and g = A^2.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure
from jaxthermo.protocols import CarnotCycle
from jaxthermo.solve.lean import lean_jit

BETAS, FIELDS, RISE = (0.5, 1.0), (0.0, -0.5, -0.875, -0.75), 0.25
COUPLINGS = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5])
PERIODS = (400.0, 800.0)
STEPS = 8000


def efficiencies() -> xarray.Dataset:
    """-(work on field and windows)/(heat from the hot bath) over period and coupling; NaN where it is no engine."""
    found = np.stack([np.asarray(_ledgers(jnp.asarray(COUPLINGS**2), period)) for period in PERIODS])
    work, hot = found[..., 0] + found[..., 3] + found[..., 4], found[..., 1]
    axes = ("period", "coupling")
    variables = {
        "efficiency": (axes, np.where((work < 0) & (hot > 0), -work / hot, np.nan), "1", "efficiency"),
        "closes": (axes, found.sum(axis=-1), "energy", "work + heats + switching of a cycle, which is 0"),
    }
    coords = {
        "period": ("period", list(PERIODS), "time", "period"),
        "coupling": ("coupling", COUPLINGS, "1/time^(1/2)", "coupling A"),
    }
    return labelled(variables, coords)


@lean_jit
def _ledgers(frictions: Float[Array, " couplings"], period: Any) -> Float[Array, "couplings 5"]:
    """Work on the field, heat from the hot and the cold bath, and work on their windows, of the stationary cycle."""
    cycle = CarnotCycle(*BETAS, FIELDS, period, rise=RISE)
    schedules: tuple[Callable[..., Array], ...] = (cycle.x, *cycle.switching().windows)
    step = period / STEPS

    def moment(t: Array) -> Array:
        """x and its slope, both windows and their slopes."""
        pairs = [jax.jvp(f, (t,), (jnp.ones_like(t),)) for f in schedules]
        return jnp.stack([value for pair in pairs for value in pair])

    times = 0.5 * step * jnp.arange(2.0 * STEPS + 1.0)
    known = jax.vmap(moment)(times)
    # The values at the beginning, the middle and the end of each step.
    thirds = known[:-1:2], known[1::2], known[2::2]

    def one(friction: Array) -> Array:
        def turn(state: Array) -> Array:
            return jax.lax.scan(lambda s, at: (_step(s, at, step, friction), None), state, thirds)[0]

        # The moments come back after an affine map, whose fixed point is the stationary cycle.
        ends = jax.vmap(turn)(jnp.concatenate([jnp.zeros((1, 8)), jnp.eye(3, 8)]))[:, :3]
        slopes = (ends[1:] - ends[:1]).T
        fixed = jnp.linalg.solve(jnp.eye(3) - slopes, ends[0])
        return turn(jnp.concatenate([fixed, jnp.zeros(5)]))[3:]

    return jax.vmap(one)(frictions)


def _step(state: Array, thirds: tuple[Array, Array, Array], step: Any, friction: Array) -> Array:
    """One step of Runge and Kutta's fourth-order rule."""
    first, middle, last = thirds
    k1 = _slopes(state, first, friction)
    k2 = _slopes(state + 0.5 * step * k1, middle, friction)
    k3 = _slopes(state + 0.5 * step * k2, middle, friction)
    k4 = _slopes(state + step * k3, last, friction)
    return state + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def _slopes(state: Array, at: Array, friction: Array) -> Array:
    """Time derivatives of <q^2>, <qp>, <p^2>, of work and heats, and of the work on both windows."""
    q2, qp, p2 = state[0], state[1], state[2]
    stiffness, windows, moving = 1.0 + at[0], at[2::2], at[3::2]
    T = 1.0 / jnp.asarray(BETAS)
    rub, drag = friction * jnp.sum(windows**2), friction * jnp.sum(windows * moving)
    given = friction * (windows**2 * (T - p2) - windows * moving * qp)
    switching = friction * moving * (windows * qp + moving * q2)
    moments = jnp.stack([2.0 * qp, p2 - (stiffness + drag) * q2 - rub * qp, 2.0 * (jnp.sum(given) - stiffness * qp)])
    return jnp.concatenate([moments, 0.5 * q2 * at[1:2], given - switching, switching])


def draw(data: xarray.Dataset) -> Figure:
    """Efficiency against A, one line for each period."""
    fig, (panel,) = figure(1, 1, height=3.7)
    limit = 1.0 - BETAS[0] / BETAS[1]
    for hue, period in zip(PALETTE[1:], data.period.values, strict=False):
        one = data.efficiency.sel(period=period)
        panel.plot(data.coupling, one, color=hue, marker="o", ms=3.5, label=rf"$\tau={period:g}$")
    panel.axhline(limit, color="black", ls="--", lw=0.9, label=r"$1-T_c/T_h$")
    panel.set(xlabel=r"coupling $A$  [time$^{-1/2}$]", ylabel=r"efficiency $\eta$", ylim=(0.0, 1.3 * limit))
    panel.legend(fontsize=8, loc="upper center", ncols=3)
    fields = ", ".join(f"{x:g}" for x in FIELDS)
    caption(
        fig,
        rf"Carnot cycle, $\beta={BETAS[0]:g}$ and ${BETAS[1]:g}$, $x={fields}$; classical parabola, $X=-q^2/2$, exact."
        "\nWhere no point is shown, the cycle is no engine.",
    )
    return fig

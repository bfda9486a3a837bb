"""The protocol that moves the field from one value to another in a given time with the least work."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.automatic import grid_for
from jaxthermo.brownian.equilibrium import equilibrium
from jaxthermo.brownian.grid import phase, turn
from jaxthermo.brownian.hierarchy import Field, Workspace
from jaxthermo.brownian.oscillator import check_oscillator, require_fast_cutoff
from jaxthermo.brownian.spectrum import Spectrum, to_spectrum
from jaxthermo.brownian.split import noise_of
from jaxthermo.brownian.stepper import DrivenTerm
from jaxthermo.checks import require_integer, require_positive, require_scalar
from jaxthermo.protocols.polynomial import PolynomialSchedule, unit_powers
from jaxthermo.search.ensemble import extrapolated, moments_of, passage
from jaxthermo.search.minimise import STATUS, Minimum, minimise

# The error of the extrapolated work falls like the fourth power of the step; these keep it below 1e-8 or so.
STEP, FEWEST_STEPS = 0.025, 64
MAX_STEPS = 200
GRADIENT, PLATEAU = 1e-10, 1e-13


class OptimalRamp(eqx.Module):
    """The ramp of least work, made by `optimal_ramp`.

    `work` -int X dx; `coefficients` c of x(s) = a + (b - a) s + s (1 - s) sum_j c_j s^j with s = t/duration; `ends`
    (a, b), which are x_start and x_end unless jumps are allowed; `kicks` the impulses int x dt given at the two ends, 0
    without jumps; `solves` propagations with their gradient; `step_error` what halving the time step changed, before
    extrapolation; `gradient`, `history`, `status` as in `MinimumWork`.
    """

    work: float
    coefficients: np.ndarray
    ends: tuple[float, float]
    kicks: tuple[float, float]
    solves: int
    step_error: float
    gradient: float
    history: np.ndarray
    status: str


class _Problem(eqx.Module):
    V: Field
    work: Workspace
    beta: Float[Array, ""]
    x_start: Float[Array, ""]
    x_end: Float[Array, ""]
    duration: Float[Array, ""]
    steps: int = eqx.field(static=True)
    order: int = eqx.field(static=True)
    jumps: bool = eqx.field(static=True)

    def schedule(self, z: Float[Array, " parameters"]) -> tuple[PolynomialSchedule, Array, Array]:
        """x(t) between the ends, its ends, and the kicks; Chebyshev coefficients multiply s (1 - s)."""
        ends = jnp.stack([self.x_start, self.x_end])
        kicks = jnp.zeros(2)
        if self.jumps:
            ends, kicks = ends + z[:2], z[2:4]
        shape = z[-self.order :] if self.order else jnp.zeros(1)
        return PolynomialSchedule(_bent(shape, ends), self.duration), ends, kicks

    def costs(self, z: Float[Array, " parameters"]) -> tuple[Array, Array]:
        """Work with the time step, and with half of it."""
        schedule, ends, kicks = self.schedule(z)
        term, noise = DrivenTerm(self.work, self.beta, schedule), noise_of(self.work)
        begin, early = to_spectrum(self.V, self.work), jnp.zeros(())
        if self.jumps:
            begin, early = _kicked(begin, self.work, self.beta, kicks[0], (self.x_start, ends[0]))

        def total(steps: int) -> Array:
            done = passage(term, noise, begin, self.duration, steps)
            late = jnp.zeros(())
            if self.jumps:
                _, late = _kicked(done.spectrum, self.work, self.beta, kicks[1], (ends[1], self.x_end))
            return early - done.totals[0] + late

        return total(self.steps), total(2 * self.steps)


def _bent(shape: Float[Array, " order"], ends: Float[Array, "2"]) -> Float[Array, " powers"]:
    """Chebyshev coefficients of the line between the ends plus s (1 - s) sum_j shape_j T_j; s (1 - s) = (1 - T_2)/8."""
    count = shape.shape[0]
    total = jnp.zeros(count + 2)
    total = total.at[0].add(0.5 * (ends[0] + ends[1])).at[1].add(0.5 * (ends[1] - ends[0]))
    for j in range(count):
        # T_2 T_j = [T_(j+2) + T_|j-2|]/2
        total = total.at[j].add(shape[j] / 8.0)
        total = total.at[j + 2].add(-shape[j] / 16.0).at[abs(j - 2)].add(-shape[j] / 16.0)
    return total


def _kicked(spectrum: Spectrum, work: Workspace, beta: Any, kick: Any, jump: tuple[Any, Any]) -> tuple[Spectrum, Array]:
    """The state after an impulse of the field, p -> p + kick X'(q), and the work of it and of the jump in x.

    Within the impulse only the force counts, so it is exact: a phase in the conjugate of p. Its work is the kinetic
    energy gained; the jump costs -X dx at frozen state.
    """
    before = moments_of(spectrum, work, 1.0 / beta)
    side = work.grid.p_side
    cosine, sine = phase(-kick * work.phase_x)
    re, im = turn(spectrum[1 : side + 1], spectrum[side + 1 :], cosine[:, None, :], sine[:, None, :])
    after = jnp.concatenate([spectrum[:1], re, im])
    gained = moments_of(after, work, 1.0 / beta).U - before.U
    return after, gained - before.X * (jump[1] - jump[0])


@eqx.filter_jit
def _search(problem: _Problem) -> Minimum:
    def work(z: Array) -> tuple[Array, Array]:
        coarse, fine = problem.costs(z)
        return extrapolated(coarse, fine), jax.lax.stop_gradient(jnp.abs(fine - coarse) / 3.0)

    start = jnp.zeros(problem.order + (4 if problem.jumps else 0))
    found = minimise(work, start, max_steps=MAX_STEPS, gradient_tolerance=GRADIENT, plateau=PLATEAU)
    return found


def optimal_ramp(
    oscillator: Any,
    beta: Any,
    x_start: Any,
    x_end: Any,
    duration: Any,
    order: int,
    jumps: bool = False,
    *,
    dt: Any = STEP,
) -> OptimalRamp:
    """The protocol x(t) from x_start to x_end of least work, from equilibrium, at constant beta.

    Equation   minimise W = -int X dx over x(s) = line + s (1 - s) sum_j c_j s^j, s = t/duration, with `order`
               coefficients c; with jumps the line's ends are free too, and at both ends the field may give an impulse
               (a peak of vanishing width), as the optimal protocols of underdamped systems do
    Shapes     beta, x_start, x_end, duration: scalars
    Units      work: energy; negative is work done by the oscillator
    Raises     ValueError that names the argument
    Source     Schmiedl & Seifert 2007, Phys. Rev. Lett. 98, 108301; underdamped: Gomez-Marin, Schmiedl & Seifert 2008,
               J. Chem. Phys. 129, 024114

    For U = m w^2 q^2/2 the minimum over all protocols is -(dx)^2 t / [2 m w^2 (t + 2 gamma/(m w^2))]; jumps with order
    0 reach it, and without jumps every order stays above.
    """
    check_oscillator(oscillator)
    require_fast_cutoff(oscillator)
    numbers = {"beta": beta, "x_start": x_start, "x_end": x_end, "duration": duration, "dt": dt}
    beta, x_start, x_end, duration, dt = (require_scalar(name, value) for name, value in numbers.items())
    for name, value in (("beta", beta), ("duration", duration), ("dt", dt)):
        require_positive(name, value)
    order = require_integer("order", order, 0 if jumps else 1)
    if oscillator.grid is None:
        grid = grid_for(oscillator, [beta], _room(x_start, x_end))
        oscillator = eqx.tree_at(lambda o: o.grid, oscillator, grid, is_leaf=lambda leaf: leaf is None)
    state = equilibrium(oscillator, beta, x_start)
    steps = max(FEWEST_STEPS, math.ceil(float(duration) / float(dt) - 1e-9))
    problem = _Problem(state.V, state.work, beta, x_start, x_end, duration, steps, order, bool(jumps))
    found = _search(problem)
    _, ends, kicks = problem.schedule(found.point)
    history = np.asarray(found.history)
    return OptimalRamp(
        work=float(found.value),
        coefficients=_powers(np.asarray(found.point[-order:]) if order else np.zeros(0)),
        ends=(float(ends[0]), float(ends[1])),
        kicks=(float(kicks[0]), float(kicks[1])),
        solves=int(found.evaluations),
        step_error=float(found.extra),
        gradient=float(found.gradient),
        history=history[np.isfinite(history)],
        status=STATUS[int(found.code)],
    )


def _room(x_start: Any, x_end: Any) -> list[float]:
    """The range of fields with room for overshoot on both sides."""
    low, high = sorted((float(x_start), float(x_end)))
    return [low - 0.5 * (high - low), high + 0.5 * (high - low)]


def _powers(shape: np.ndarray) -> np.ndarray:
    """Coefficients of 1, s, s^2, ... of sum_j shape_j T_j(2 s - 1)."""
    return unit_powers(len(shape) - 1) @ shape if len(shape) else shape

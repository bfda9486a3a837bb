"""The driven hierarchy as a diffrax term, and the split step that beats its stiffness as a diffrax solver."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxthermo._types import Real
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, vector_field
from jaxthermo.brownian.observables import (
    Moments,
    bath_heat,
    friction_heat,
    local_heat,
    low_members,
    moments,
    moments_of_spectrum,
)
from jaxthermo.brownian.steps.ledger import Ledger
from jaxthermo.brownian.steps.spectrum import Noise, from_spectrum, to_spectrum
from jaxthermo.brownian.steps.split import (
    heating_flow,
    heating_table,
    local_flow,
    local_tables,
    noise_of,
    rests,
    transport_flow,
)
from jaxthermo.protocols.schedules import rate_at, value_at

# Richardson extrapolation over one and two substeps: removes the h^2 term of a symmetric composition.
COARSE, FINE = -1.0 / 3.0, 4.0 / 3.0


class Driven(eqx.Module):
    """State of a driven solve: the members, and the running integrals from which work and heat follow."""

    V: HierarchyState
    # int X dx, int U dbeta, int X d(beta x), int (heat from the bath) dt; of several baths the heat from each, and the
    # work of switching each.
    totals: Float[Array, " totals"]


def totals_of(equation: Equation) -> int:
    """How many integrals there are."""
    ledger = equation.oscillator.ledger
    return 4 if ledger is None else 4 + 2 * len(ledger.windows)


def start(V: HierarchyState, equation: Equation) -> Driven:
    """A state with empty integrals."""
    return Driven(V, jnp.zeros(totals_of(equation)))


def temperature_of(beta: Float[Array, "..."]) -> Float[Array, "..."]:
    """1/beta; NaN where beta is no inverse temperature, so that a solve that meets it cannot end well."""
    return jnp.where(beta > 0, 1.0 / beta, jnp.nan)


# A time as diffrax gives it.
Time = int | float | Array | np.ndarray


class DrivenTerm(diffrax.AbstractTerm):
    """The vector field of `Driven` under schedules beta(t) and x(t), for explicit solvers and for `SplitStep`."""

    equation: Equation
    beta: Any
    x: Any

    def vf(self, t: Time, y: Driven, args: PyTree) -> Driven:
        beta, d_beta = rate_at(self.beta, t)
        x, d_x = rate_at(self.x, t)
        temperature = temperature_of(beta)
        now = moments(y.V[:, low_members(self.equation.oscillator)], self.equation, temperature, t)
        heat, ledger = bath_heat(now, self.equation, t, temperature), self.equation.oscillator.ledger
        totals = jnp.stack([now.X * d_x, now.U * d_beta, now.X * (beta * d_x + x * d_beta), heat])
        if ledger is not None:
            totals = jnp.concatenate(
                [totals, ledger.rates(now, self.equation.oscillator.mass, jnp.asarray(t)).entries()]
            )
        return Driven(vector_field(y.V, self.equation, t, temperature, x, -d_beta / beta), totals)

    def contr(self, t0: Time, t1: Time, **kwargs: PyTree) -> Time:
        return t1 - t0

    def prod(self, vf: Driven, control: Real) -> Driven:
        return jax.tree.map(lambda v: control * v, vf)


class SplitStep(diffrax.AbstractSolver):
    """Strang splitting of the hierarchical Wigner equation in exact flows, extrapolated to order 4.

    Equation   S(h) = B(h/2) A(h) B(h/2) with the flows of `local_flow` (B) and `transport_flow` (A);
               y(t + h) = [4 S(h/2) S(h/2) - S(h)] y(t) / 3, error estimate [S(h/2) S(h/2) - S(h)] y(t) / 3
    Source     Strang 1968; the flows are those of this equation

    Each S is stable at every step and second order; temperature and field are frozen at the middle of each B. The
    integrals in the state take part in the splitting, with the increments of the schedules, so a schedule may have
    corners or jumps at the ends of steps. The extrapolation is no contraction for undamped waves, so at weak coupling
    steps should be left to the error control; `extrapolate=False` keeps the bare second-order step.
    """

    extrapolate: bool = eqx.field(static=True, default=True)

    term_structure: ClassVar = DrivenTerm
    interpolation_cls: ClassVar[Callable[..., diffrax.AbstractLocalInterpolation]] = diffrax.LocalLinearInterpolation

    def order(self, terms: PyTree) -> int:
        return 4 if self.extrapolate else 2

    def error_order(self, terms: PyTree) -> float:
        # The estimate is that of the second-order result, also where the fourth-order one goes on.
        return 3.0

    def init(self, terms: PyTree, t0: Time, t1: Time, y0: Driven, args: PyTree) -> Noise | None:
        return noise_of(_bare(terms).equation)

    def step(
        self,
        terms: PyTree,
        t0: Time,
        t1: Time,
        y0: Driven,
        args: PyTree,
        solver_state: Noise | None,
        made_jump: bool | Array | np.ndarray,
    ) -> tuple[Driven, Driven, dict[str, Driven], Noise | None, PyTree]:
        terms = _bare(terms)
        begin = Driven(to_spectrum(y0.V, terms.equation), y0.totals)
        middle = 0.5 * (t0 + t1)
        # One step over the whole and two over its halves, as one loop: the program holds one of them.
        ends = jnp.stack([jnp.stack([t0, t1]), jnp.stack([t0, middle]), jnp.stack([middle, t1])])

        def substep(y: Driven, step: tuple[Array, Array]) -> tuple[Driven, Driven]:
            (early, late), goes_on = step
            y = jax.tree.map(lambda now, first: jnp.where(goes_on, now, first), y, begin)
            y = strang(terms, solver_state, y, early, late)
            return y, y

        fine, every = jax.lax.scan(substep, begin, (ends, jnp.asarray([False, False, True])))
        coarse = jax.tree.map(lambda leaf: leaf[0], every)
        error = jax.tree.map(lambda a, b: (a - b) / 3.0, fine, coarse)
        end = jax.tree.map(lambda a, b: FINE * a + COARSE * b, fine, coarse) if self.extrapolate else fine
        y1, y_error = (Driven(from_spectrum(y.V, terms.equation), y.totals) for y in (end, error))
        return y1, y_error, {"y0": y0, "y1": y1}, solver_state, diffrax.RESULTS.successful

    def func(self, terms: PyTree, t0: Time, y0: Driven, args: PyTree) -> Driven:
        return terms.vf(t0, y0, args)


def _bare(terms: Any) -> DrivenTerm:
    """The term without diffrax's wrapper for the direction of time, which is forward here."""
    return terms if isinstance(terms, DrivenTerm) else terms.term


# Traced once, however often a program and its derivatives hold it.
@eqx.filter_jit
def strang(terms: DrivenTerm, noise: Noise | None, y: Driven, t0: Any, t1: Any) -> Driven:
    """One symmetric step on Fourier coefficients in y.

    The integrals grow by what each flow does exactly: the schedules move while the state rests, and the bath's energy
    comes and goes in B by diffusion and decay, in A by friction; that of a `DrudeBath` is taken by
    the trapezoidal rule.
    """
    equation, half = terms.equation, 0.5 * (t1 - t0)
    # Begin, middle of the first half, middle, middle of the second half, end.
    times = jnp.stack([t0, t0 + 0.5 * half, t0 + half, t1 - 0.5 * half, t1])
    betas = jax.vmap(lambda t: value_at(terms.beta, t))(times)
    fields = jax.vmap(lambda t: value_at(terms.x, t))(times)
    T, heating = temperature_of(betas), jnp.log(betas[:4:2] / betas[2::2]) / half

    def tables(T: Any, x: Any, heating: Any, t: Any, *change: Any) -> Any:
        local = local_tables(equation, half, T, x, heating, t)
        return local, heating_table(equation, noise, *change), rests(equation, *change)

    # The tables of both halves come from one piece of program.
    change = (T[:4:2], T[2::2], times[:4:2], times[2::2])
    both = jax.vmap(tables)(T[1::2], fields[1::2], heating, times[1::2], *change)
    (first, warming, cold), (last, cooling, warm) = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))

    warmed = heating_flow(y.V, equation, noise, warming, cold)
    still = local_flow(warmed, equation, first)
    moved = transport_flow(still, equation, noise, t1 - t0, T[2], times[2])
    settled = local_flow(moved, equation, last)
    V = heating_flow(settled, equation, noise, cooling, warm)

    kept = low_members(equation.oscillator)
    low = jnp.stack([y.V[:, kept], still[:, kept], V[:, kept]])
    before_to_after = jax.vmap(lambda s, T, t: moments_of_spectrum(s, equation, T, t))
    measured = before_to_after(low, T[::2], times[::2])
    ends = jax.tree.map(lambda leaf: leaf[::2], measured)
    moved_by = jnp.stack([fields[2::2] - fields[:4:2], betas[2::2] - betas[:4:2], jnp.diff((betas * fields)[::2])])
    driven = jnp.sum(moved_by * jnp.stack([ends.X, ends.U, ends.X]), axis=1)
    middle, ledger = jax.tree.map(lambda leaf: leaf[1], measured), equation.oscillator.ledger
    if ledger is None:
        bath = _heat_of_step(equation, middle, ends, half, T)[None]
    else:
        bath = _heat_of_baths(equation, ledger, middle, ends, times)
    return Driven(V, y.totals + jnp.concatenate([driven, bath]))


def _heat_of_baths(
    equation: Equation, ledger: Ledger, middle: Moments, ends: Moments, times: Float[Array, "5"]
) -> Float[Array, " entries"]:
    """Heat in one step from all baths together, that from each, and the work of switching each.

    The second half is the mirror of the first, so it is counted backwards from where it ends.
    """
    mass = equation.oscillator.mass
    halves = jax.vmap(lambda m, outer, quarter: ledger.half_step(m, mass, outer, quarter, times[2]))(
        ends, times[::4], times[1::2]
    )
    first, last = (jax.tree.map(lambda leaf, i=i: leaf[i], halves) for i in (0, 1))
    friction = ledger.friction_share(middle, mass, times[2], times[4] - times[0])
    whole = jax.tree.map(jnp.add, first - last, friction)
    return jnp.concatenate([jnp.sum(whole.given)[None], whole.entries()])


def _heat_of_step(
    equation: Equation, middle: Moments, ends: Moments, half: Any, T: Float[Array, "5"]
) -> Float[Array, ""]:
    """Heat from the bath in one step, from the moments in the middle and those of both ends."""
    if equation.oscillator.bath.friction_has_memory:
        return half * jnp.sum(jax.vmap(lambda m, T: bath_heat(m, equation, 0.0, T))(ends, T[::4]))
    # The second half is the mirror of the first, so its decay is counted backwards from where it ends.
    signs = jnp.asarray([1.0, -1.0])
    local = jax.vmap(lambda m, sign, T: sign * local_heat(m, equation, sign * half, T))(ends, signs, T[1::2])
    return friction_heat(middle, equation, 2.0 * half) + jnp.sum(local)

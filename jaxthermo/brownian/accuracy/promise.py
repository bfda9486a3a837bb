"""When the numbers of a state or of a driven course may be relied on: what grid, hierarchy and solve must show."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import Real
from jaxthermo.brownian.observables import Observables
from jaxthermo.brownian.oscillator import Oscillator

# Largest error of each kind, in X, <q^2>, <p^2>, U of an equilibrium over their scale.
PROMISED = 1e-6
# Largest share of the peak on the rim of the grid, and on the rim of the waves that it holds, for that error. Measured
# on classical quartics: <p^2> is off by about as much as `coarse`, and moments by less than `edge`.
EDGE, COARSE = 5e-7, 5e-7
# By how much both count for more where there are members of the hierarchy, which are wider, and driven by high waves: a
# parabola with K = 1, A = 0.73, beta = 2.9 had <p^2> off by 2.1e-6 with `coarse` at 1.4e-7, a double well with K = 3,
# A = 0.96, beta = 2.1 had U off by 3.3e-6 of its scale with `edge` at 3.1e-7.
MEMBERS = 20.0
# What powers of `tail` and of `tail_density` are multiplied by, see `truncation` and `course_truncation`.
SHARE, DENSITY_SHARE = 0.7, 5.0
# By how much truncation counts for more in two wells; and from where on, over beta, the particle tunnels through a
# barrier.
TWO_WELLS, MOST_TRAPPED = 40.0, 7.0
# Error of the linear solve over the size of the state, in the 2-norm. Moments weigh the outside of a state, so they
# may be off by some times more.
SOLVED = 2e-7
# A solve that ended above that, but below this, knows the product of the uncertainties well enough to say that no
# state of a particle has it: it is below so many hbar, where hbar/2 is the least.
ROUGHLY, UNCERTAIN = 0.1, 0.25

# The same along a run: grid and hierarchy hold the work to some 2e-5 of the energies that it changes. Measured on
# classical Stirling cycles: with `coarse` at 3e-5 the work is off by 0.6e-5 to 1.9e-5. What leaves by the rim of the
# momentum comes in again with the opposite sign: with 4.4e-6 there, the work of a field that shakes a parabola on
# resonance was off by 3.2e-5, or 7 times as much.
COURSE_TRUNCATED, COURSE_EDGE, COURSE_COARSE = 1e-5, 2e-6, 3.5e-5
# The work of a cycle is to be right to a share of the swing of U. Where that is less than the kinetic energy, all three
# limits are lower in proportion, down to this share of them: a double well with A = 0.36, K = 4, beta = 2.9 to 6.1, and
# a swing of 0.04 of it, had the work off by 2.5e-5 of the swing.
ACCURACY, LEAST_SWING = 1e-5, 0.01
# From here on a state runs into the rim.
RIM = 1e-4
# The least and the most that a grid grows at a time.
GROWTH = (1.1, 1.6)
# Members that a drive or a cycle may have once fewer were found too few: of four poles depth 5, of three depth 7.
MOST_GROWN = 130
# Largest difference between the two ways to count heat, over the kinetic energy: a run whose steps are so long that
# it is larger cannot say what its bath exchanges.
FIRST_LAW = 1e-3
# Least closed integral of U d beta - X d(beta x), which should be >= 0, over beta times the kinetic energy.
SECOND_LAW = -1e-5


def truncation(tail: Float[Array, "..."], depth: int) -> Float[Array, "..."]:
    """About the error that the levels left out of the hierarchy cause, from the largest member of the last one.

    Equation   each level is smaller than the one before by about tail^(1/depth); the first one left out would have
               changed W_0 after coming down through depth + 1 levels, so by tail^(2 (depth + 1)/depth). The errors
               measured are at most 0.66 of that (quartic well, 1 and 2 poles, depth 2 and 3)
    """
    return SHARE * tail ** (2.0 * (depth + 1.0) / depth)


def tail_of(error: float, depth: int) -> float:
    """The tail at which `truncation` is this error."""
    return (error / SHARE) ** (0.5 * depth / (depth + 1.0))


def levels_to(share: float, tail: float, depth: int) -> float:
    """Levels after which the tail has fallen to this share of it, if each goes on to lessen it by tail^(1/depth)."""
    return float(depth * np.log(share) / np.log(tail)) if 0.0 < tail < 1.0 else math.inf


def course_truncation(seen: Any, oscillator: Oscillator) -> Float[Array, "..."]:
    """About the error that the levels left out of the hierarchy cause along a run, in moments and work.

    Equation   5 (crossings of the well in the time of friction) d^(2 (depth + 1)/depth), with d the `tail_density`

    At strong coupling members are large where noise and momentum are correlated. That part is a derivative d_p^n of
    W_0, as in a parabola, and holds no density; what noise and position have in common does. Measured on quenches of
    quartic and double wells, A = 0.3 to 2, beta = 0.6 to 3, depth 1 to 5: the errors are 0.01 to 2.6 times that, of a
    depth of 1 up to 4 times.
    """
    return _course_truncation(seen.tail_density, crossings(seen, oscillator), oscillator.bath.depth)


def _course_truncation(tail: Any, crossed: Any, depth: int | None) -> Any:
    depth = depth or 1
    return DENSITY_SHARE * crossed * tail ** (2.0 * (depth + 1.0) / depth)


def state_problem(
    measured: Observables,
    error: Any,
    oscillator: Oscillator,
    exact: bool = False,
    truncated: Any = jnp.nan,
    trapped: Any = 1.0,
) -> Int[Array, "..."]:
    """The first thing that keeps a state from the promise, as members of `jt.Status`; NaN counts as missed.

    `exact`: the state was not found on its grid, so that what the grid misses does not add up. `truncated`: by how much
    the last level of the hierarchy changed the moments; NaN where that is not known. `trapped`: see `trapping`.
    """
    slow = slowness(measured, oscillator)
    mesh = jnp.ones(()) if exact else slow
    rough = mesh if exact or not oscillator.bath.modes else MEMBERS * mesh
    spread = measured.q2 - measured.q**2
    # Without enough poles the populations of cold states alternate in sign and hardly fall, so that no solve ends.
    uncertain = (spread * measured.p2 < (UNCERTAIN * oscillator.hbar) ** 2) if oscillator.quantum else False
    by_tail = trapped * jnp.maximum(1.0, 4.0 * slow**2 - 3.0) * truncation(measured.tail, oscillator.bath.depth or 1)
    return first_problem(
        status_if(~(error < SOLVED) & (error < ROUGHLY) & uncertain, Status.no_density),
        status_if(~(error < SOLVED), Status.not_converged),
        # With few poles the equation itself may rest where no density does.
        status_if(~((spread > 0.0) & (measured.p2 > 0.0)), Status.no_density),
        # A shallow hierarchy has shapes that a deep one would not ask of the grid.
        # At weak coupling what is left out grows with the square of the crossings: a double well with K = 2, A = 0.2,
        # beta = 2.3, depth 2 had <p^2> off by 1.3e-6, where 27 crossings and a tail of 1.4e-3 give 1.4e-6.
        depth_problem(jnp.where(jnp.isnan(truncated), by_tail, truncated), oscillator, PROMISED),
        grid_problem(rough * measured.edge, rough * measured.coarse, EDGE, COARSE),
    )


class Growth(NamedTuple):
    """By how much range and resolution of a grid have to grow, and a hierarchy that is too shallow.

    `members`: no more of these; None: as many as are chosen at first.
    """

    room: float
    resolution: float
    levels: int = 1
    members: int | None = None


def growth_of_state(state: Any) -> Growth:
    """What the grid of a state asks for; where the plain limits are kept, it is weak coupling that asks for more."""
    slow = _slowest(state, state.oscillator)
    edge, coarse = float(state.edge), float(state.coarse)
    rim = EDGE if edge > EDGE else EDGE / (slow * (MEMBERS if state.oscillator.bath.modes else 1.0))
    return Growth(growth_to(edge, rim), growth_to(coarse, COARSE if coarse > COARSE else COARSE / (slow * MEMBERS)))


def growth_of_run(seen: Any) -> Growth:
    """What the grid of a course asks for.

    A state that curls up in an anharmonic well has waves that fall more slowly than those of a Gaussian.
    """
    waves = growth_to(np.max(seen.coarse), COURSE_COARSE, 1.0)
    levels = _levels_missing(seen, seen.oscillator, _truncated(seen, seen.oscillator))
    return Growth(growth_to(np.max(seen.edge), COURSE_EDGE), waves, levels, MOST_GROWN)


def growth_of_cycle(run: Any) -> Growth:
    """What grid and hierarchy of a stationary cycle ask for."""
    return judged_period(run, run.oscillator, run.work, run.tol)[1]


def judged_period(seen: Any, oscillator: Oscillator, work: Any, tol: Any, margin: float = 1.0) -> tuple[Status, Growth]:
    """What is missing of grid and hierarchy, and how much of it, of known measurements and without a program for it.

    `run_problem` judges the finished cycle likewise. What is missed by a factor below `margin` is not counted as
    missing. Of a state that runs into the rim the waves say nothing.
    """
    weight = float(weight_of_cycle(seen, oscillator, work, tol, np)) / margin
    runs_out = float(np.max(seen.edge)) > RIM
    waves = 1.0 if runs_out else growth_to(np.max(seen.coarse), COURSE_COARSE / weight)
    missed = weight * _truncated(seen, oscillator)
    levels = _levels_missing(seen, oscillator, missed)
    growth = Growth(growth_to(np.max(seen.edge), COURSE_EDGE / weight), waves, levels, MOST_GROWN)
    if growth.room > 1.0 or growth.resolution > 1.0:
        return Status.grid_too_small if growth.room > 1.0 else Status.grid_too_coarse, growth
    shallow = missed >= COURSE_TRUNCATED and not oscillator.has_linear_forces()
    return Status.hierarchy_too_shallow if shallow else Status.ok, growth


def _levels_missing(seen: Any, oscillator: Oscillator, missed: float) -> int:
    """Levels after which a run that misses so much is truncated by half of what is allowed.

    The error goes with the square of the tail.
    """
    depth, tail = oscillator.bath.depth, float(np.max(seen.tail_density))
    over = missed / (0.5 * COURSE_TRUNCATED)
    missing = levels_to(over**-0.5, tail, depth) if depth and over > 0.0 else 1.0
    return max(1, math.ceil(missing)) if math.isfinite(missing) else 1


def _truncated(seen: Any, oscillator: Oscillator) -> float:
    """The largest `course_truncation`, of what is known, without a program for it; 0 where there is no hierarchy."""
    if not oscillator.bath.depth:
        return 0.0
    return float(
        np.max(_course_truncation(np.asarray(seen.tail_density), _crossed(seen, oscillator), oscillator.depth))
    )


def growth_to(value: Any, limit: float, power: float = 0.5) -> float:
    """How much further out a Gaussian that has fallen to `value` falls to a fifth of the limit.

    `power` is one over that of the exponent: 1/2 for a Gaussian, 1 for an exponential.
    """
    wanted = min(0.2 * limit, 0.5 * float(value))
    return 1.0 if value < limit else float(np.clip((np.log(wanted) / np.log(min(value, 0.5))) ** power, *GROWTH))


def slowness(measured: Any, oscillator: Oscillator) -> Float[Array, "..."]:
    """By how much errors of the generator count for more because the bath is too weak to heal them.

    Equation   half of the `crossings`, where these are many. At A = 0.1 and beta = 8 a share of 1e-7 on the rim moved
               U by 7.5e-6
    """
    return jnp.maximum(1.0, 0.5 * crossings(measured, oscillator))


def weight_of_cycle(seen: Any, oscillator: Oscillator, work: Any, tol: Any, xp: Any = jnp) -> Any:
    """By how much errors of grid and hierarchy count for more in a stationary cycle.

    Equation   slowness kinetic/max(swing, LEAST_SWING kinetic) ACCURACY/max(tol, ACCURACY), each of the two at least 1:
               a cycle has all the time that errors need to add up, and its work is to be right to a share of the swing
    """
    friction, mass, tol = (xp.asarray(number) for number in (oscillator.bath.friction(), oscillator.mass, tol))
    q, q2, p2, U = (xp.asarray(series) for series in (seen.q, seen.q2, seen.p2, seen.U))
    kinetic = xp.mean(p2) / mass
    allowed = 0.5 * promised_error(swing_of(U, work, xp), kinetic, tol, xp)
    with np.errstate(divide="ignore", invalid="ignore"):
        slow = xp.maximum(1.0, 0.5 * xp.max(_crossings(q, q2, p2, friction)))
        return slow * xp.maximum(1.0, kinetic * ACCURACY / allowed)


def swing_of(U: Any, work: Any, xp: Any = jnp) -> Any:
    """What the error of the work of a cycle is measured by: the span of U, or the work if that is more.

    Where U comes back at every saved time, as with forty turns of the field in one period, its span says nothing.
    """
    return xp.maximum(xp.ptp(U, axis=-1), xp.abs(xp.asarray(work)))


def promised_error(swing: Any, kinetic: Any, tol: Any, xp: Any = jnp) -> Any:
    """How far the work of a cycle may be off."""
    return 2.0 * xp.maximum(tol, ACCURACY) * xp.maximum(swing, LEAST_SWING * kinetic)


def _slowest(seen: Any, oscillator: Oscillator) -> float:
    """The largest `slowness`, of what is known, without a program for it."""
    return max(1.0, 0.5 * float(np.max(_crossed(seen, oscillator))))


def _crossed(seen: Any, oscillator: Oscillator) -> Any:
    """`crossings`, of what is known, without a program for it."""
    numbers = (np.asarray(number) for number in (seen.q, seen.q2, seen.p2, oscillator.bath.friction()))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _crossings(*numbers)


def crossings(measured: Any, oscillator: Oscillator) -> Float[Array, "..."]:
    """How often the well is crossed in the time m/A^2 of friction."""
    return _crossings(measured.q, measured.q2, measured.p2, oscillator.bath.friction())


def _crossings(q: Any, q2: Any, p2: Any, friction: Any) -> Any:
    return abs(p2 / (q2 - q**2)) ** 0.5 / friction


def trapping(energy: Float[Array, " q"], beta: Any) -> Float[Array, ""]:
    """By how much what is left out of the hierarchy counts for more where two wells share the particle.

    Equation   TWO_WELLS or, if larger, exp(beta B), with B the highest barrier above the higher of the wells to
               its two sides. A double well with A = 0.97, K = 3, beta = 1.9 and beta B = 2 had X off by 8e-6 of its
               scale where the tail alone gave less than 1e-6; one with A = 0.71, K = 3, beta = 1.5 and beta B = 0.3 by
               6e-6, which is 22 times what the tail gave
    """
    left, right = (jax.lax.cummin(energy, reverse=reverse) for reverse in (False, True))
    barrier = jnp.max(energy - jnp.maximum(left, right))
    # A slope has none, but for rounding.
    two = barrier > 1e-9 * (jnp.max(energy) - jnp.min(energy))
    return jnp.where(two, jnp.maximum(TWO_WELLS, jnp.exp(jnp.minimum(beta * barrier, MOST_TRAPPED))), 1.0)


def run_problem(
    series: dict[str, Any], seen: Observables, produced: Real = 0.0, weight: Real | None = None
) -> Int[Array, ""]:
    """What keeps a finished run, of which these are the series, from its promise.

    `produced` is the entropy produced in a stationary cycle, and `weight` its `weight_of_cycle`; None: a single drive,
    which is taken to be too short for errors to add up.

    Grid and hierarchy are judged by the worst of the saved times, heat by the first law at all of them, and a cycle by
    the second law.
    """
    oscillator = series["oscillator"]
    kinetic = jnp.mean(seen.p2) / oscillator.mass
    by = jnp.ones(()) if weight is None else weight
    problems = [
        grid_problem(by * jnp.max(seen.edge), by * jnp.max(seen.coarse), COURSE_EDGE, COURSE_COARSE),
        depth_problem(by * jnp.max(course_truncation(seen, oscillator)), oscillator, COURSE_TRUNCATED),
        status_if(~(series["first_law_residual"] <= FIRST_LAW * kinetic), Status.first_law_violated),
    ]
    if weight is not None:
        least = SECOND_LAW * jnp.mean(series["beta"]) * kinetic
        problems.append(status_if(~(produced >= least), Status.second_law_violated))
    return first_problem(*problems)


def depth_problem(missed: Any, oscillator: Oscillator, limit: float) -> Int[Array, "..."]:
    """Whether a hierarchy is too shallow, whose levels left out change moments by about `missed`."""
    if not oscillator.bath.depth:
        return first_problem()
    # Where forces are linear, any depth is enough for first and second moments.
    return status_if(~oscillator.has_linear_forces() & ~(missed < limit), Status.hierarchy_too_shallow)


def grid_problem(edge: Any, coarse: Any, edge_limit: float, coarse_limit: float) -> Int[Array, "..."]:
    """What a grid is missing, if anything. Waves that it cannot hold also raise the rim, so the larger one is named."""
    small = status_if(~(edge < edge_limit), Status.grid_too_small)
    rough = status_if(~(coarse < coarse_limit), Status.grid_too_coarse)
    return jnp.where(edge > coarse, first_problem(small, rough), first_problem(rough, small))

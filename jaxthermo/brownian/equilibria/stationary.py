"""The null vector of the hierarchy's generator: one linear solve, its preconditioner, and its derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.equilibria.relaxation import (
    crossing_time,
    energy_relaxation,
    explicit_relaxation,
    split_relaxation,
)
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of, vector_field
from jaxthermo.brownian.states.canonical import STEPS, boltzmann, canonical_states, uncorrelated
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.krylov import BLOCK, least_residual
from jaxthermo.solve.lanes import one_by_one

# Of the linear solve, in the 2-norm of all members, relative to the first residual, and its steps.
TOLERANCE = 1e-11
LIMIT = 480
# Blocks of directions that are kept, as far as each of two tables has no more than so many numbers. Most solves end
# within so few that touching the memory of all would cost a quarter of them: 24 of 100 ms on 41 x 43 points.
KEPT, FEW, NUMBERS = 10, 3, 2**24
# From which error on a derivative in reverse mode is none: NaN. Its bound is a loose one, hundreds of times too large.
LOST = 0.03
# What is added to a density, over its peak, where a root of it is divided by.
RIM = 1e-8
# Canonical states of these temperatures, up to the wanted one, span what weak coupling leaves at rest.
FAMILY = slice(STEPS // 2, None, 2)

Place = tuple[Equation, Float[Array, ""], Float[Array, ""]]
Linear = Callable[[Array], Array]


def stationary_members(
    equation: Equation,
    temperature: Float[Array, ""],
    x: Float[Array, ""],
    differentiable: bool = True,
    few: bool = False,
) -> tuple[HierarchyState, Float[Array, ""]]:
    """All members of the stationary state, and the error of the solve over their size in the 2-norm.

    Equation   L V = 0, int W_0 dq dp = 1 as one regular linear equation A V = r u int V_0 dq dp - L V = r u, with any u
               of norm 1 and any rate r. L keeps the norm, so the norm of A V is that of r V

    `few`: it gives up after FEW blocks of steps; not with derivatives.
    Derivatives in both modes are those of the linear equation; what asks for none spares the program of the transposed
    one. Lanes of a vmap are solved one after another: they need different numbers of iterations, and small matrices are
    slow in a batch.
    """
    if is_classical(equation):
        return boltzmann(equation, temperature, x)[:, None], jnp.zeros(())
    place = (equation, temperature, x)
    V = jnp.zeros((equation.grid.p_points, len(members_of(equation.oscillator)), equation.grid.q_points))
    if not differentiable:
        return _solved(place, _rhs(V, place), FEW if few else KEPT)
    return jax.lax.custom_linear_solve(
        pinned_generator(place),
        # A zero that depends on everything: the rule for derivatives fails where A and b depend on nothing.
        _rhs(V, place) + 0.0 * (temperature + x),
        lambda _, b: one_by_one(_solved, stop_gradient(place), b),
        lambda _, b: one_by_one(_solved_transposed, stop_gradient(place), b),
        has_aux=True,
    )


def is_classical(equation: Equation) -> bool:
    """Whether the equation is Kramers's with one temperature, whose stationary state is Boltzmann's."""
    oscillator = equation.oscillator
    return not (oscillator.quantum or oscillator.bath.modes or len(oscillator.bath.own_betas()))


def _solved(place: Place, rhs: HierarchyState, blocks: int = KEPT) -> tuple[HierarchyState, Array]:
    """A^-1; the residual that is made small is the preconditioned one, since A alone magnifies the finest waves."""
    return krylov(pinned_generator(place), _preconditioner(place), rhs, blocks=blocks)


def _solved_transposed(place: Place, rhs: HierarchyState) -> tuple[HierarchyState, Array]:
    """A^-T."""
    return krylov_transposed(pinned_generator(place), _preconditioner(place), place, rhs)


def transposed(linear: Linear, like: Float[Array, "..."]) -> Linear:
    """The transpose of a linear map."""
    transpose = jax.linear_transpose(linear, like)
    return lambda V: transpose(V)[0]


def krylov(
    A: Linear, M: Linear, rhs: Float[Array, "..."], tolerance: float = TOLERANCE, blocks: int = KEPT
) -> tuple[Float[Array, "..."], Array]:
    """A^-1 rhs with the preconditioner M, and the error over the size of the solution, see `least_residual`.

    With fewer `blocks` than KEPT it gives up where these are full.
    """

    def flat(linear: Linear) -> Callable[[Array], Array]:
        return lambda vector: linear(vector.reshape(rhs.shape)).reshape(-1)

    kept = BLOCK * min(blocks, max(1, NUMBERS // (BLOCK * rhs.size)))
    limit = LIMIT if blocks >= KEPT else blocks * BLOCK
    found, error = least_residual(flat(A), flat(M), rhs.reshape(-1), tolerance, limit, kept)
    return found.reshape(rhs.shape), error


def krylov_transposed(
    A: Linear, M: Linear, place: Place, rhs: Float[Array, "..."], tolerance: float = TOLERANCE
) -> tuple[Float[Array, "..."], Array]:
    """A^-T rhs, as D^-1 (D A^T D^-1)^-1 D rhs with D the root of a density; NaN where the solve does not converge.

    Solutions of the transposed equation are functions that do not fall, such as q^2, and break off at the rim of the
    grid; but they are only ever multiplied by what falls like a state. With the root of a state as weight both have one
    norm, as in the symmetric form of the Kramers equation. Without weights a quartic with A = 0.15 and one pole had
    d<q^2>/dx off by 2e-2 after all steps, with them by 2e-7.
    """
    A, M = transposed(A, rhs), transposed(M, rhs)
    density = boltzmann(*place)
    # The last three axes of `rhs` are momentum, member and position.
    weight = jnp.expand_dims(jnp.sqrt(density / jnp.max(density) + RIM)[:, None], tuple(range(rhs.ndim - 3)))
    found, error = krylov(lambda V: weight * A(V / weight), lambda V: weight * M(V / weight), weight * rhs, tolerance)
    return jnp.where(error < LOST, found / weight, jnp.nan), error


def norm_of(V: HierarchyState, equation: Equation) -> Float[Array, ""]:
    """int V_0 dq dp."""
    return jnp.sum(V[:, 0]) * equation.grid.cell


def source(V: HierarchyState, equation: Equation) -> HierarchyState:
    """A field of norm 1: W_0 is flat."""
    grid = stop_gradient(equation.grid)
    return jnp.zeros_like(V).at[:, 0].set(1.0 / (grid.p_points * grid.q_points * grid.cell))


def pinning(equation: Equation, temperature: Float[Array, ""]) -> Float[Array, ""]:
    """The rate r at which the norm is held, a thermal velocity over a fifth of the grid.

    It is about that of the motion in any units of time, so the solve takes as many steps in all of them.
    """
    place = (temperature / equation.oscillator.mass, equation.grid.q_max)
    velocity_squared, reach = stop_gradient(place)
    return 5.0 * jnp.sqrt(velocity_squared) / reach


def _rhs(V: HierarchyState, place: Place) -> HierarchyState:
    return pinning(place[0], place[1]) * source(V, place[0])


def pinned_generator(place: Place) -> Linear:
    """-L, but the norm, which L keeps, decays at the rate `pinning`."""
    equation, temperature, x = place
    rate = pinning(equation, temperature)

    def A(V: HierarchyState) -> HierarchyState:
        return rate * source(V, equation) * norm_of(V, equation) - vector_field(V, equation, 0.0, temperature, x)

    return A


def iteration_of(place: Place) -> Linear:
    """One iteration of the linear solve but for its inner products: M A."""
    A, M = pinned_generator(place), _preconditioner(place)
    return lambda V: M(A(V))


def _preconditioner(place: Place) -> Linear:
    """About A^-1: the canonical state for the norm, and two approximate inverses of -L for what has none."""
    equation, temperature, x = place
    family = canonical_states(equation, temperature, x)[FAMILY]
    guess = uncorrelated(family[-1], len(members_of(equation.oscillator)))
    relaxation = explicit_relaxation if equation.oscillator.bath.flows() is None else split_relaxation
    fast = relaxation(equation, temperature, x, crossing_time(equation, temperature, family[-1]))
    rate = pinning(equation, temperature)
    slow = energy_relaxation(equation, temperature, family, rate)

    def M(V: HierarchyState) -> HierarchyState:
        norm = norm_of(V, equation)
        rest = V - source(V, equation) * norm
        return guess * (norm / rate) + fast(rest) + slow(rest)

    return M

"""What a protocol of beta and x costs one state: the objective of the search for minimum work."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic
from jaxthermo.brownian.hierarchy import Equation, HierarchyState
from jaxthermo.brownian.steps.spectrum import to_spectrum
from jaxthermo.brownian.steps.split import flows_of, noise_of
from jaxthermo.brownian.steps.stepper import DrivenTerm
from jaxthermo.protocols.polynomial import PolynomialSchedule, from_control_points
from jaxthermo.search.work_functional import EDGE, extrapolated, measure_of, propagate, rim

# Protocols are refused that bring more than so many times the trusted share of a state to the rim of the grid, or of
# what was there from the start.
ROOM = 3.0


class Problem(eqx.Module):
    """A state, the beta and x that it is looked at from, and where protocols may take these; see `minimum_work`.

    beta stays within a factor `beta_factor` of its start, and x within `field_reach`.
    """

    potential: QuasiStatic
    V: HierarchyState
    equation: Equation
    beta: Float[Array, ""]
    x: Float[Array, ""]
    beta_factor: Float[Array, ""]
    field_reach: Float[Array, ""]
    horizon: Float[Array, ""]
    order: int = eqx.field(static=True)
    jumps: bool = eqx.field(static=True)

    @property
    def parameters(self) -> int:
        """Free numbers: a control point of beta and of x for each power, and with jumps both sides of both ends."""
        return 2 * (self.order + (2 if self.jumps else 0))


class Protocols(eqx.Module):
    """Schedules of beta and x from 0 to the horizon, and where they end after the last jump."""

    beta: PolynomialSchedule
    x: PolynomialSchedule
    last_beta: Float[Array, ""]
    last_x: Float[Array, ""]


def protocols(problem: Problem, z: Float[Array, " parameters"]) -> Protocols:
    """The protocol that a vector of unbounded numbers describes; 0 is the one that rests at (beta, x).

    Control points are beta factor^sin(z) and x + reach sin(z), and a polynomial stays between its control points: it
    cannot leave the allowed range. Where an end of the range is best, the sine has its turning point there and a search
    converges; where it is not, a search that got there leaves it again. (A function that only tends to its limits is
    flat near them, and holds searches fast.)
    """
    half = z.shape[0] // 2
    betas = problem.beta * problem.beta_factor ** jnp.sin(z[:half])
    fields = problem.x + problem.field_reach * jnp.sin(z[half:])
    if problem.jumps:
        inner_beta, inner_x = betas[:-1], fields[:-1]
    else:
        inner_beta = jnp.concatenate([problem.beta[None], betas])
        inner_x = jnp.concatenate([problem.x[None], fields])
    return Protocols(
        beta=from_control_points(inner_beta, problem.horizon),
        x=from_control_points(inner_x, problem.horizon),
        last_beta=betas[-1],
        last_x=fields[-1],
    )


def cost(
    problem: Problem, z: Float[Array, " parameters"], steps: Int[Array, ""], most: int
) -> tuple[Float[Array, ""], tuple[Float[Array, ""], Float[Array, ""]]]:
    """Xi_qst at the end of a protocol plus int (U dbeta - X dx~) along it, by `steps` and by twice as many steps.

    Beside it what halving the time step changed, before extrapolation, and how much of the state reached the rim. A
    protocol that drives it there costs infinitely much, for beyond the rim there would be no end of work to gain.
    `most` bounds `steps` in what is compiled.
    """
    chosen, V, equation = protocols(problem, z), problem.V, problem.equation
    term = DrivenTerm(equation, chosen.beta, chosen.x)
    noise = noise_of(equation)
    measure = measure_of(equation, noise)
    final = problem.potential(chosen.last_beta, chosen.last_x)
    if problem.jumps:
        first = chosen.beta.start(), chosen.x.start()
        seen = measure(to_spectrum(V, equation), problem.beta)
        final = final + _jump(seen, (problem.beta, problem.x), first)
        V = flows_of(equation).change_temperature(V, equation, 1.0 / problem.beta, 1.0 / first[0])
    done = propagate(term, noise, to_spectrum(V, equation), problem.horizon, steps, most, measure)
    pair = final + done.totals[:, 1] - done.totals[:, 2]
    if problem.jumps:
        ends = chosen.beta.end(), chosen.x.end()
        pair = pair + _jump(done.last, ends, (chosen.last_beta, chosen.last_x))
    step_error = jnp.abs(pair[1] - pair[0]) / 3.0
    driven_out = done.edge >= ROOM * jnp.maximum(EDGE, rim(V))
    return jnp.where(driven_out, jnp.inf, extrapolated(pair)), (jax.lax.stop_gradient(step_error), done.edge)


def _jump(seen: Float[Array, "*runs observables"], old: tuple[PyTree, PyTree], new: tuple[PyTree, PyTree]) -> Array:
    """U dbeta - X dx~ of a jump at frozen state."""
    return seen[..., 0] * (new[0] - old[0]) - seen[..., 1] * (new[0] * new[1] - old[0] * old[1])

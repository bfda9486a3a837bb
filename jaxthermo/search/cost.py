"""What a protocol of beta and x costs one state: the objective of the search for minimum work."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo.brownian.hierarchy import Field, Workspace
from jaxthermo.brownian.quasistatic import QuasiStatic
from jaxthermo.brownian.spectrum import to_spectrum
from jaxthermo.brownian.split import change_temperature, noise_of
from jaxthermo.brownian.stepper import DrivenTerm
from jaxthermo.protocols.polynomial import PolynomialSchedule, from_control_points
from jaxthermo.search.ensemble import EDGE, extrapolated, measure_of, passage, rim

# Protocols are refused that bring more than so many times the trusted share of a state to the rim of the grid, or of
# what was there from the start.
ROOM = 3.0


class Search(eqx.Module):
    """Where protocols may go, and how they are searched for; see `minimum_work`.

    A protocol is followed by `steps` and by twice as many; `most` bounds `steps` in what is compiled.
    """

    potential: QuasiStatic
    beta_factor: Float[Array, ""]
    field_reach: Float[Array, ""]  # in units of x
    horizon: Float[Array, ""]
    steps: Int[Array, ""]
    order: int = eqx.field(static=True)
    jumps: bool = eqx.field(static=True)
    most: int = eqx.field(static=True)

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


def protocols(search: Search, beta: Any, x: Any, z: Float[Array, " parameters"]) -> Protocols:
    """The protocol that a vector of unbounded numbers describes; 0 is the one that rests at (beta, x).

    Control points are beta factor^tanh(z) and x + reach tanh(z), and a polynomial stays between its control points: it
    cannot leave the allowed range.
    """
    half = z.shape[0] // 2
    betas = beta * search.beta_factor ** jnp.tanh(z[:half])
    fields = x + search.field_reach * jnp.tanh(z[half:])
    if search.jumps:
        inner_beta, inner_x = betas[:-1], fields[:-1]
    else:
        inner_beta, inner_x = jnp.concatenate([beta[None], betas]), jnp.concatenate([x[None], fields])
    return Protocols(
        beta=from_control_points(inner_beta, search.horizon),
        x=from_control_points(inner_x, search.horizon),
        last_beta=betas[-1],
        last_x=fields[-1],
    )


def cost(
    search: Search, V: Field, work: Workspace, beta: Any, x: Any, z: Float[Array, " parameters"]
) -> tuple[Float[Array, ""], tuple[Float[Array, ""], Float[Array, ""]]]:
    """Xi_qst at the end of a protocol plus int (U dbeta - X dx~) along it, for one state.

    Beside it what halving the time step changed, before extrapolation, and how much of the state reached the rim. A
    protocol that drives it there costs infinitely much, for beyond the rim there would be no end of work to gain.
    """
    chosen = protocols(search, beta, x, z)
    term = DrivenTerm(work, chosen.beta, chosen.x)
    noise = noise_of(work)
    measure = measure_of(work, noise)
    final = search.potential(chosen.last_beta, chosen.last_x)
    if search.jumps:
        first = chosen.beta.start(), chosen.x.start()
        final = final + _jump(measure(to_spectrum(V, work), beta), (beta, x), first)
        V = change_temperature(V, work, 1.0 / beta, 1.0 / first[0])
    done = passage(term, noise, to_spectrum(V, work), search.horizon, search.steps, search.most, measure)
    pair = final + done.totals[:, 1] - done.totals[:, 2]
    if search.jumps:
        ends = chosen.beta.end(), chosen.x.end()
        pair = pair + _jump(done.last, ends, (chosen.last_beta, chosen.last_x))
    step_error = jnp.abs(pair[1] - pair[0]) / 3.0
    driven_out = done.edge >= ROOM * jnp.maximum(EDGE, rim(V))
    return jnp.where(driven_out, jnp.inf, extrapolated(pair)), (jax.lax.stop_gradient(step_error), done.edge)


def _jump(seen: Float[Array, "*passages observables"], old: tuple[Any, Any], new: tuple[Any, Any]) -> Array:
    """U dbeta - X dx~ of a jump at frozen state."""
    return seen[..., 0] * (new[0] - old[0]) - seen[..., 1] * (new[0] * new[1] - old[0] * old[1])

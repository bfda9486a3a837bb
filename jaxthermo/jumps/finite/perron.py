"""The largest eigenvalue of a tilted generator, by inverse iteration with positive vectors."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxthermo.jumps.finite.distribution import symmetric_part
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space
from jaxthermo.solve.krylov import gmres
from jaxthermo.solve.lean import lean_jit

# Of the residual in the 1-norm, relative to the traffic between states.
TOLERANCE = 1e-12
ITERATIONS, LIMIT = 80, 60
# The shift stays this far above the eigenvalue, in units of the hops of one unit per time: first, and in the end.
FAR, NEAR = 1.0, 0.02
# A vector with a more negative part than this is not positive.
NEGATIVE = 1e-3


class Perron(eqx.Module):
    """Eigenvalue and positive eigenvector of sum 1; residual relative to the traffic, and steps of the iteration."""

    value: Float[Array, ""]
    x: Float[Array, " states"]
    residual: Float[Array, ""]
    steps: Int[Array, ""]


@lean_jit
def perron(
    now: NetworkAtTime,
    space: Space,
    tilt: Float[Array, ""] | Float[Array, "edges columns"],
    guess: Array,
    start: Float[Array, " states"],
    log_scale: Float[Array, " states"],
) -> Perron:
    """The eigenvalue of the generator with forward hops counted `tilt` times that has a positive eigenvector.

    Equation   x <- (sigma - L)^-1 x / norm. The inverse is positive exactly if sigma lies above the eigenvalue, so a
               vector that turns negative says that the shift must rise; from above, every positive start converges.
    Shapes     tilt: a scalar, (E, 1) or (E, states); guess: of the eigenvalue; start: (states,), positive;
               log_scale: x is the eigenvector over exp(log_scale)
    Source     Noda, Numer. Math. 17, 382 (1971), with shifts at a distance

    Whether the shift is above the eigenvalue is read off the sign of x. Parts of x are summed with the weights of the
    left eigenvector; were those very uneven, parts below zero by rounding errors would count as much as all others.
    """
    bare = mesoscopic_hops(now, space)
    outflow = bare.outflow()
    hops = bare.scaled(log_scale)

    def tilted(x: Array) -> Array:
        forward, backward = hops.flows(x)
        return hops.into_states(tilt * forward) + jnp.sum(backward / tilt, axis=0) - outflow * x

    def positive(y: Array) -> Bool[Array, ""]:
        return (jnp.sum(y) > 0) & (jnp.min(y) > -NEGATIVE * jnp.max(y))

    def step(carry: PyTree) -> PyTree:
        x, value, margin, residual, count = carry
        sigma = value + margin
        inverse = stencil(hops, space, x, tilt, sigma, outflow)
        found = gmres(
            lambda v: tilted(v) - sigma * v,
            lambda r: cycle(inverse, r),
            -x,
            # No better than what the iteration makes of it.
            jnp.maximum(0.1 * TOLERANCE, 1e-2 * jnp.minimum(residual, 1e-2)) * jnp.linalg.norm(x),
            LIMIT,
        )
        # The eigenvector is positive, so on flat energies rotations leave it alone.
        y = symmetric_part(now, space, found.x)
        good = positive(y)
        new = jnp.maximum(y, 0.0) / jnp.sum(jnp.maximum(y, 0.0))
        x = jnp.where(good, new, x)
        image = tilted(x)
        value = jnp.where(good, jnp.sum(image), sigma)
        residual = jnp.sum(jnp.abs(image - value * x)) / jnp.sum(outflow * x)
        margin = jnp.where(good, jnp.maximum(0.3 * margin, near), 2.0 * margin)
        return x, value, margin, jnp.where(good, residual, jnp.inf), count + 1

    def unfinished(carry: PyTree) -> Array:
        return (carry[3] > TOLERANCE) & (carry[4] < ITERATIONS)

    # Half of it is uniform: where s changes which of several wells or cycles matters most, the neighbour's vector is an
    # eigenvector of another eigenvalue, with almost nothing of the leading one.
    x = 0.5 * (start / jnp.sum(start) + 1.0 / space.size)
    traffic = jnp.sum(outflow * x) / space.units
    near = NEAR * traffic
    carry = (x, guess, FAR * traffic, jnp.asarray(jnp.inf), jnp.zeros((), int))
    x, value, _, residual, count = jax.lax.while_loop(unfinished, step, carry)
    return Perron(value, x, residual, count)

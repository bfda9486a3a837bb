"""Eigenvalues of generators on occupation numbers, sector by sector of the rotation of the ring."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxthermo._types import Real
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space
from jaxthermo.solve.davidson import leading_eigenpair
from jaxthermo.solve.lean import lean_jit

# Of the residual, relative to what the generator makes of its largest part.
TOLERANCE = 1e-12
LIMIT = 400
CONVERGED = 1e-9


class Mode(eqx.Module):
    """An eigenvalue of the (tilted) generator, its vector of norm 1, and the residual relative to the traffic."""

    value: Complex[Array, ""]
    x: Complex[Array, " states"]
    residual: Float[Array, ""]
    products: Int[Array, ""]


class Sector(eqx.Module):
    """Which vectors are searched: those that a rotation by one state multiplies by exp(2 pi i k/q), or of sum zero.

    Without a `rotation` all vectors are taken, but for the part along the stationary state if `transient`.
    """

    rotation: int | None = eqx.field(static=True, default=None)
    transient: bool = eqx.field(static=True, default=False)

    def project(self, x: Array, space: Space, weight: Array) -> Array:
        """The part of x in the sector."""
        if self.rotation is None:
            return x - jnp.sum(x) * weight / jnp.sum(weight) if self.transient else x
        assert space.rotation is not None
        phase = np.exp(-2j * np.pi * self.rotation / space.q)
        total = rotated = x
        for _ in range(space.q - 1):
            rotated = phase * rotated[space.rotation]
            total = total + rotated
        return total / space.q


@lean_jit
def leading_mode(
    now: NetworkAtTime,
    space: Space,
    sector: Sector,
    tilt: Real,
    shift: Real,
    start: Array,
    weight: Float[Array, " states"],
    limit: int = LIMIT,
) -> Mode:
    """The eigenvalue of largest real part in the sector, of the generator with forward hops counted `tilt` times.

    Shapes     start: (states,); shift, weight: of the preconditioner, an eigenvalue and the distribution that weighs
               its cells; limit: products with the generator
    """
    # Real rates meet complex vectors throughout.
    with jax.numpy_dtype_promotion("standard"):
        hops = mesoscopic_hops(now, space)
        inverse = stencil(hops, space, weight, tilt, shift)
        outflow = hops.outflow()

        def project(x: Array) -> Array:
            return sector.project(x, space, weight)

        start = project(start.astype(complex))
        size = jnp.linalg.norm(outflow * start) / jnp.linalg.norm(start)
        found = leading_eigenpair(
            lambda x: hops.tilted(x, tilt), lambda r: project(cycle(inverse, r)), start, TOLERANCE * size, limit
        )
    return Mode(found.value, found.x, found.residual / size, found.products)

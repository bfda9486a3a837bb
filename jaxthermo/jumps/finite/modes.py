"""How long N units keep time: slowest modes of their master equation, sector by sector of the rotation of a ring."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity, status_over, warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import IntLike, Real, Stats
from jaxthermo.jumps.finite.distribution import may_rotate, stationary_distribution
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.levels import units_at_rest
from jaxthermo.jumps.finite.multigrid import cycle, stencil
from jaxthermo.jumps.finite.space import Space
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.solve.davidson import leading_eigenpair
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.lean import lean_jit

# Largest relative error of an eigenvalue by the rounding of the traffic between states.
LARGEST_ERROR = 1e-3

# Of the residual, relative to what the generator makes of its largest part.
TOLERANCE = 1e-12
LIMIT = 400
CONVERGED = 1e-9


class Coherence(AbstractResult):
    """The slowest mode of each sector, and what it means for the oscillation; made by `coherence`."""

    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    units: int = eqx.field(static=True)
    sector: Int[Array, " sector"] = quantity(
        "1", "a rotation by one state multiplies by exp(2 pi i sector/q)", ("sector",), coordinate=True
    )
    status: Int[Array, "*batch sector"] = status_over("sector")
    eigenvalue_real: Float[Array, "*batch sector"] = quantity("1/time", "largest real part of the sector", ("sector",))
    eigenvalue_imag: Float[Array, "*batch sector"] = quantity(
        "1/time", "imaginary part of that eigenvalue", ("sector",)
    )
    residual: Float[Array, "*batch sector"] = quantity(
        "1", "residual of the eigenvector, relative to the traffic", ("sector",)
    )
    quality_factor: Float[Array, "*batch"] = quantity("1", "|Im/Re| of the slowest eigenvalue")
    period: Float[Array, "*batch"] = quantity("time", "period of that mode")
    phase_diffusion: Float[Array, "*batch"] = quantity("1/time", "decay rate of that mode")


def coherence(network: AbstractJumpModel, beta: Betas, units: IntLike) -> Coherence:
    """The slowest mode of the master equation of N units, and for how long its oscillation lasts.

    Equation   L x = Lambda x with the largest real part but zero; quality factor |Im Lambda/Re Lambda|;
               period 2 pi/|Im Lambda|; phase diffusion D = -Re Lambda, so that correlations of the phase fall like
               exp(-D t) and its variance grows like 2 D t

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       a number, or (R,) numbers, one for each reservoir
    units      N
    Returns    eigenvalues over `sector`, on a ring with flat energies 1 .. q/2: modes that a rotation by one state
               multiplies by exp(2 pi i sector/q), each with its slowest; one row 0 for other networks, which have no
               sectors, and where jax traces the energies
    Units      eigenvalues: 1/time
    Raises     ValueError for impossible parameters, more states than memory holds, without double precision
    Source     Barato & Seifert, Phys. Rev. E 95, 062409 (2017) for the quality factor

    `quality_factor`, `period` and `phase_diffusion` are those of the sector that decays slowest; a mode that does not
    oscillate has quality factor 0 and an infinite period. Hops between wells may be so rare that their rate is lost in
    the rounding errors of all other hops; the `status` then says so. There are no derivatives.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.jumps.coherence(ring, 4.0, units=10).quality_factor), 5)
        1.35359
    """
    model = network
    network, beta, states = units_at_rest(model, beta, units)
    # Held before the eigenvectors, whose derivatives jax refuses in words of its own.
    now = without_derivatives(network_at(network, beta), "coherence")
    p = stationary_distribution(now, states).p
    flat = may_rotate(now, states) and not isinstance(network.constant_energies, jax.core.Tracer)
    flat = flat and np.ptp(np.asarray(network.constant_energies)) == 0
    numbers = np.arange(1, network.q // 2 + 1) if flat else np.zeros(1, int)

    def slowest_of(number: int) -> Mode:
        sector = Sector(rotation=number) if flat else Sector(transient=True)
        return leading_mode(now, states, sector, jnp.ones(()), jnp.zeros(()), _wave(states, p, max(number, 1)), p)

    modes = [slowest_of(number) for number in numbers.tolist()]
    value = jnp.stack([mode.value for mode in modes])
    residual = jnp.stack([mode.residual for mode in modes])
    traffic = _traffic(now, states, p)
    error = jnp.maximum(residual, jnp.finfo(residual.dtype).eps) * traffic
    lost = error > LARGEST_ERROR * jnp.abs(value)
    # A real eigenvalue of a matrix that is not symmetric comes with an imaginary rounding error.
    value = jax.lax.complex(value.real, jnp.where(jnp.abs(value.imag) > error, value.imag, 0.0))
    trouble = jnp.where(lost, int(Status.below_rounding_errors), int(Status.ok))
    slowest = value[jnp.argmax(value.real)]
    result = Coherence(
        status=jnp.where(residual > CONVERGED, int(Status.not_converged), trouble).astype(jnp.int32),
        stats={"states": states.size},
        network=model,
        beta=beta,
        units=states.units,
        sector=jnp.asarray(numbers),
        eigenvalue_real=value.real,
        eigenvalue_imag=value.imag,
        residual=residual,
        quality_factor=jnp.abs(slowest.imag / slowest.real),
        period=2.0 * jnp.pi / jnp.abs(slowest.imag),
        phase_diffusion=-slowest.real,
    )
    warn_unless_ok(result)
    return result


@lean_jit
def _traffic(now: NetworkAtTime, states: Space, p: Array) -> Array:
    """Hops per unit of time, in the mean."""
    return jnp.dot(mesoscopic_hops(now, states).outflow(), p)


def _wave(states: Space, p: Array, number: int) -> Array:
    """The stationary state times a Fourier mode of the counts: what a rotating start looks like."""
    angle = np.exp(2j * np.pi * number * np.arange(states.q) / states.q)
    return p.astype(complex) * (jnp.asarray(angle) @ states.counts.astype(complex))


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

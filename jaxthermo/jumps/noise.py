"""Small fluctuations of many units about the mean field's attractor: covariances, phase diffusion, contraction."""

from collections.abc import Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem
from jaxthermo._types import IntLike, ScalarLike, Stats
from jaxthermo.jumps.attractor import MAX_ROUNDS, Stationary, long_time_state
from jaxthermo.jumps.graph import incidence
from jaxthermo.jumps.mean_field import Betas, flows, vector_field
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork
from jaxthermo.jumps.occupation import complete, field
from jaxthermo.solve.attractor import FIXED_POINT, LIMIT_CYCLE, AttractorKind
from jaxthermo.solve.derivatives import without_derivatives
from jaxthermo.solve.integrate import integrate, status_of
from jaxthermo.solve.lean import brief_jit

RTOL, ATOL = 1e-10, 1e-12
MAX_STEPS = 100_000


class LinearNoise(AbstractResult):
    """Fluctuations of N units to leading order in 1/N; made by `linear_noise`.

    Of a fixed point `covariance` is known, of a limit cycle `period`, `phase_diffusion` and `quality_factor`; the
    others are NaN.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    network: AbstractJumpModel
    beta: Float[Array, "*betas"]
    attractor: Int[Array, "*batch"] = quantity("1", "kind of attractor", codes=AttractorKind)
    covariance: Float[Array, "*batch q q"] = quantity(
        "1", "N times the covariance of the shares N_i/N and N_j/N", ("state", "other_state")
    )
    period: Float[Array, "*batch"] = quantity("time", "period of the limit cycle")
    phase_diffusion: Float[Array, "*batch"] = quantity("1/time", "N times the phase diffusion", main=True)
    quality_factor: Float[Array, "*batch"] = quantity("1", "angular frequency over phase diffusion, divided by N")
    contraction: Float[Array, "*batch"] = quantity("1/time", "mean divergence of dP/dt on the attractor", main=True)
    entropy_production_rate: Float[Array, "*batch"] = quantity("k_B/time", "mean rate of entropy production per unit")

    @property
    def kind(self) -> str | np.ndarray:
        """ "fixed point", "limit cycle" or "undecided"; for a batch an array of these words."""
        return AttractorKind.spelled(self.attractor)


def contraction(t: ArrayLike, P: Float[Array, " q"], network: AbstractJumpModel, beta: Betas) -> Float[Array, ""]:
    """How fast volumes of occupations grow: the divergence of the mean field, sum_i d(dP_i/dt)/dP_i.

    t, P, network, beta    as for `jt.jumps.vector_field`
    Units      1/time; below 0 where volumes shrink
    Source     phase-space contraction: Meibohm & Esposito, arXiv 2401.14982

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.jumps.contraction(0.0, jnp.array([0.5, 0.3, 0.2]), ring, 2.0)), 6)
        -0.360909
    """
    return jnp.trace(jax.jacfwd(lambda P: vector_field(t, P, network, beta))(P))


def linear_noise(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    max_rounds: IntLike = MAX_ROUNDS,
) -> LinearNoise:
    """Fluctuations of many units about the attractor that the mean field reaches from p0, to leading order in 1/N.

    Equation   dx = F(x) dt + (B(x)/N)^(1/2) dw with B = sum_e nu_e nu_e^T (V+_e P_i + V-_e P_j), nu_e the change of the
               occupations by a hop along e. Fixed point: J C + C J^T + B = 0 with J = dF/dx, C/N the covariance.
               Limit cycle of period T: the phase 2 pi t/T has the variance 2 D t/N, with
               D = (1/2)(2 pi/T)^2 z.C(T) z/T, where dC/dt = J C + C J^T + B from C(0) = 0 round the cycle, and z is the
               left eigenvector 1 of the linear map over one period with z.F = 1. `contraction` is the mean of
               div F = tr J

    network      a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta         a number, or (R,) numbers, one for each reservoir
    p0           start, (q,); None for P_1 = 1 - small
    max_rounds   rounds of integration before the search for the attractor gives up
    Units        1/time; covariances and quality factor: none. Divide `covariance` and `phase_diffusion` by N, multiply
                 `quality_factor` by N
    Returns      `LinearNoise`
    Raises       ValueError for impossible parameters, without double precision
    Accuracy     the integration's 1e-10; corrections for N units are of order 1/N
    Source       van Kampen's expansion; phase of a noisy cycle: Gaspard, J. Chem. Phys. 117, 8905 (2002); Remlein,
                 Weissmann & Seifert, arXiv 2202.07978 (2022)

    For N units `jt.jumps.coherence` has the decay rate of the slowest mode, which tends to `phase_diffusion`/N. There
    are no derivatives.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> noise = jt.jumps.linear_noise(ring, 4.0)
        >>> round(float(noise.phase_diffusion), 5)
        4.44804
    """
    steady = long_time_state(network, beta, p0, max_rounds)
    result = without_derivatives(_noise(network, steady), "linear_noise")
    warn_unless_ok(result)
    return result


@brief_jit
def _noise(model: AbstractJumpModel, steady: Stationary) -> LinearNoise:
    network, betas = model.network, steady.beta
    turns, rests = steady.attractor == LIMIT_CYCLE, steady.attractor == FIXED_POINT
    x = steady.point[:-1]
    velocity, slope = field(x, (network, betas)), jax.jacfwd(field)(x, (network, betas))
    # Where there is no cycle, one short step that nobody looks at.
    period = jnp.where(turns, steady.period, 1e-6)
    linear, spread, grown, ended = _once_round(network, betas, x, period)
    identity = jnp.eye(x.shape[0], dtype=x.dtype)
    aim = velocity / jnp.where(turns, jnp.dot(velocity, velocity), 1.0)
    z = jnp.linalg.solve(linear.T - identity + jnp.where(turns, jnp.outer(aim, velocity), identity), aim)
    frequency = 2.0 * jnp.pi / period
    diffusion = 0.5 * frequency**2 * (z @ spread @ z) / period
    covariance = _completed(_at_rest(slope, _strength(network, betas, x)))
    mean = jnp.where(rests, jnp.trace(slope), grown / period)
    return LinearNoise(
        status=first_problem(steady.status, jnp.where(turns, ended, int(Status.ok)).astype(jnp.int32)),
        stats=steady.stats,
        network=model,
        beta=betas,
        attractor=steady.attractor,
        covariance=_known(covariance, rests),
        period=_known(period, turns),
        phase_diffusion=_known(diffusion, turns),
        quality_factor=_known(frequency / jnp.where(turns, diffusion, 1.0), turns),
        contraction=_known(mean, rests | turns),
        entropy_production_rate=steady.entropy_production_rate,
    )


def _known(values: Array, condition: Array) -> Array:
    return jnp.where(condition, values, jnp.full((), jnp.nan, values.dtype))


def _strength(network: JumpNetwork, betas: Array, x: Float[Array, " n"]) -> Float[Array, "n n"]:
    """The diffusion matrix B of the first q - 1 occupations."""
    flow = flows(0.0, complete(x), network, betas)
    step = jnp.asarray(incidence(network.edges, network.q)[:-1], x.dtype)
    return (step * (flow.forward + flow.backward)[None]) @ step.T


def _once_round(
    network: JumpNetwork, betas: Array, x: Float[Array, " n"], period: Float[Array, ""]
) -> tuple[Float[Array, "n n"], Float[Array, "n n"], Float[Array, ""], Int[Array, ""]]:
    """Linear map and covariance after one period, the integral of the divergence, and how the integration ended."""

    def rate(_: Any, state: Any, args: Any) -> Any:
        x, linear, spread, _ = state
        network, betas, period = args
        slope = jax.jacfwd(field)(x, (network, betas))
        pushed = slope @ spread
        change = pushed + pushed.T + _strength(network, betas, x)
        rates = (field(x, (network, betas)), slope @ linear, change, jnp.trace(slope))
        return jax.tree.map(lambda one: period * one, rates)

    eye = jnp.eye(x.shape[0], dtype=x.dtype)
    solution = integrate(
        rate,
        (x, eye, jnp.zeros_like(eye), jnp.zeros((), x.dtype)),
        (network, betas, period),
        t0=0.0,
        t1=1.0,
        saveat=diffrax.SaveAt(t1=True),
        rtol=RTOL,
        atol=ATOL,
        max_steps=MAX_STEPS,
    )
    assert solution.ys is not None
    _, linear, spread, grown = (one[0] for one in solution.ys)
    return linear, spread, grown, status_of(solution)


def _at_rest(slope: Float[Array, "n n"], strength: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """C with slope C + C slope^T + strength = 0, as one linear system."""
    n = slope.shape[0]
    eye = jnp.eye(n, dtype=slope.dtype)
    system = jnp.kron(slope, eye) + jnp.kron(eye, slope)
    return jnp.linalg.solve(system, -strength.ravel()).reshape(n, n)


def _completed(covariance: Float[Array, "n n"]) -> Float[Array, "q q"]:
    """The covariance of all q occupations from that of the first q - 1, whose sum is 1 less the last."""
    n = covariance.shape[0]
    lift = jnp.asarray(np.vstack([np.eye(n), -np.ones(n)]), covariance.dtype)
    return lift @ covariance @ lift.T

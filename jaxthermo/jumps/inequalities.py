"""How near fluctuations, clocks and engines come to what thermodynamics allows."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxthermo._results import AbstractResult, quantity
from jaxthermo._status import Code, first_problem
from jaxthermo._types import Stats
from jaxthermo.jumps.finite.balance import mesoscopic_stationary
from jaxthermo.jumps.finite.fluctuations import Cumulants
from jaxthermo.jumps.finite.hops import NetworkAtTime, network_at
from jaxthermo.jumps.finite.modes import Coherence
from jaxthermo.jumps.finite.space import Space, space
from jaxthermo.jumps.noise import LinearNoise


class Inequality(Code):
    """What bounds what."""

    uncertainty = 0
    coherence = 1
    entropy_of_an_oscillation = 2


class Bounds(AbstractResult):
    """Values beside their bounds, one of each for every inequality; made by `bounds`."""

    status: Int[Array, "*batch"]
    stats: Stats
    inequality: Int[Array, " bound"] = quantity(
        "1", "which inequality", ("bound",), main=True, codes=Inequality, coordinate=True
    )
    value: Float[Array, "*batch bound"] = quantity("1", "what is bounded", ("bound",), main=True)
    bound: Float[Array, "*batch bound"] = quantity("1", "its bound", ("bound",), main=True)
    slack: Float[Array, "*batch bound"] = quantity("1", "how far on the allowed side, >= 0", ("bound",), main=True)

    @property
    def names(self) -> str | np.ndarray:
        """The inequalities in words."""
        return Inequality.spelled(self.inequality)

    @property
    def hold(self) -> Bool[Array, "*batch bound"]:
        """Where the value is on the allowed side, or at the bound to within rounding."""
        return self.slack >= -1e-9 * jnp.abs(self.bound)


@functools.singledispatch
def bounds(result: AbstractResult) -> Bounds:
    """Inequalities of stochastic thermodynamics for what a result holds, each with value, bound and slack.

    Equation   of `cumulants`: uncertainty relation, entropy production rate >= 2 current^2/variance (slack: value less
               bound);
               of `coherence`: quality factor <= cot(pi/M) tanh(a/2) with M states, of which each step of a cycle has at
               most the affinity a on average (slack: bound less value), and entropy production in one period
               >= 2 pi x quality factor (slack: value less bound);
               of `linear_noise`: the last one per unit, for many units on a limit cycle

    result     of `jt.jumps.cumulants`, `jt.jumps.coherence` or `jt.jumps.linear_noise`
    Units      entropy production: k_B per unit and time (uncertainty), k_B of all units in a period (coherence), k_B
               per unit in a period (linear noise); quality factors: none
    Returns    `Bounds`
    Raises     TypeError for other results
    Source     Barato & Seifert, PRL 114, 158101 (2015); Gingrich et al., PRL 116, 120601 (2016), who prove the first;
               Barato & Seifert, Phys. Rev. E 95, 062409 (2017); Oberreiter, Seifert & Barato, arXiv 2112.01607
               (2022). The two bounds on clocks are conjectures that no numerical search has broken.

    The bound on the quality factor is attained by one unit on a flat ring. For many units it is loose, as it allows
    for a cycle through all states. NaN where there is no current, or no cycle.

    Example
        >>> import jaxthermo as jt
        >>> unit = jt.PottsRing(4, coupling=-1.0, force=0.8, prefactor=1.0)
        >>> found = jt.bounds(jt.jumps.cumulants(unit, 1.5, units=1))
        >>> [str(name) for name in found.names], bool(found.hold.all())
        (['uncertainty'], True)
    """
    raise TypeError(f"`result` must be one of cumulants, coherence or linear_noise, but is {type(result).__name__}")


@bounds.register
def _(result: Cumulants) -> Bounds:
    fluctuates = (result.variance > 0) & (result.current != 0)
    least = 2.0 * result.current**2 / jnp.where(fluctuates, result.variance, 1.0)
    least = jnp.where(fluctuates, least, jnp.nan)
    value = result.entropy_production_rate
    return _bounded(result.status, [(Inequality.uncertainty, value, least, value - least)])


@bounds.register
def _(result: Coherence) -> Bounds:
    network = result.network.network
    states = space(network.q, result.units, network.edges)
    steady = mesoscopic_stationary(result.network, result.beta, result.units)
    affinity = largest_affinity(network_at(network, result.beta), states)
    most = jnp.tanh(0.5 * affinity) / jnp.tan(jnp.pi / states.size)
    quality, least = result.quality_factor, 2.0 * jnp.pi * result.quality_factor
    spent = result.units * steady.entropy_production_rate * result.period
    # A mode that does not oscillate has no period.
    turns = jnp.isfinite(result.period) & (quality > 0)
    spent, least = (jnp.where(turns, one, jnp.nan) for one in (spent, least))
    worst = result.status[jnp.argmax(result.eigenvalue_real)]
    rows = [
        (Inequality.coherence, quality, most, most - quality),
        (Inequality.entropy_of_an_oscillation, spent, least, spent - least),
    ]
    return _bounded(first_problem(worst, steady.status), rows)


@bounds.register
def _(result: LinearNoise) -> Bounds:
    spent = result.entropy_production_rate * result.period
    least = 2.0 * jnp.pi * result.quality_factor
    return _bounded(result.status, [(Inequality.entropy_of_an_oscillation, spent, least, spent - least)])


def largest_affinity(now: NetworkAtTime, states: Space) -> Float[Array, ""]:
    """A bound on the mean affinity of the steps of every cycle of occupation numbers.

    Equation   max over hops |beta_r f_e - (beta_r - b) dE_e|; the sum of b dE over a cycle vanishes for every b, which
               is taken half way between the temperatures
    """
    network = now.network
    betas = network.betas_at(now.beta, 0.0)
    middle = 0.5 * (jnp.max(betas) + jnp.min(betas))
    counts = states.counts.astype(float)
    change = now.gain(counts, states.units)
    edges = (len(network.edges), 1)
    betas, force = (jnp.broadcast_to(one, edges[:1]).reshape(edges) for one in (betas, now.force))
    affinity = jnp.abs(betas * force - (betas - middle) * change)
    return jnp.max(jnp.where(network.at_sources(counts) > 0, affinity, 0.0))


def _bounded(status: Array, rows: list[tuple[Inequality, Array, Array, Array]]) -> Bounds:
    names, values, limits, slacks = zip(*rows, strict=True)
    return Bounds(
        status=status,
        stats={},
        inequality=jnp.asarray([int(name) for name in names], jnp.int32),
        value=jnp.stack(values, axis=-1),
        bound=jnp.stack(limits, axis=-1),
        slack=jnp.stack(slacks, axis=-1),
    )

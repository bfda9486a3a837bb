"""Rate laws: how fast a unit hops along one edge of a network, forwards and backwards.

Every law obeys local detailed balance, V+ / V- = exp[-beta (dE - f)] (Herpich & Esposito 2019, Eq. (2)). A law of your
own is a final subclass of `AbstractRates`; networks check it where they are made.
"""

import abc

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike as ScalarLike, Float

from jaxthermo._parameters import Parameters
from jaxthermo.checks import is_known, require_scalar
from jaxthermo.protocols.formula import UNTRACED

Values = Float[Array, "..."]
Rates = tuple[Values, Values]


class AbstractRates(Parameters):
    """A rate law: rates of the two hops along an edge, from what the edge offers a unit."""

    @abc.abstractmethod
    def __call__(self, energy_change: Values, force: Values, beta: Values, prefactor: Values) -> Rates:
        """Rates forward and backward along edges.

        energy_change   dE of the forward hop; the backward one changes the energy by -dE
        force           f, the work done on a unit that hops forward
        beta            inverse temperature of the edge's reservoir
        prefactor       G, a rate
        Shapes          arrays that broadcast
        """


class Arrhenius(AbstractRates):
    """Arrhenius rates, V+- = G exp{-+(beta/2)(dE - f)}.

    Units      energies and force in the unit of 1/beta, rates in the unit of G
    Source     Herpich & Esposito 2019, below Eq. (1)
    """

    def __call__(self, energy_change: Values, force: Values, beta: Values, prefactor: Values) -> Rates:
        forward, backward = exponentials(0.5 * beta * (force - energy_change))
        return prefactor * forward, prefactor * backward


class LoadSharing(AbstractRates):
    """Arrhenius rates that share the force unevenly between the two directions.

    Equation   V+ = G exp[-beta dE/2 + beta s f], V- = G exp[beta dE/2 - beta (1 - s) f]

    s = 1/2 is `Arrhenius`. Raises ValueError if `split` is not a scalar.
    """

    split: Float[Array, ""]

    def __init__(self, split: ScalarLike):
        self.split = require_scalar("split", split)

    def __call__(self, energy_change: Values, force: Values, beta: Values, prefactor: Values) -> Rates:
        half = 0.5 * beta * energy_change
        forward = prefactor * jnp.exp(beta * self.split * force - half)
        backward = prefactor * jnp.exp(half - beta * (1.0 - self.split) * force)
        return forward, backward


class Glauber(AbstractRates):
    """Glauber (heat-bath) rates, V+- = G / {1 + exp[+-beta (dE - f)]}.

    Source     Glauber, J. Math. Phys. 4, 294 (1963)
    """

    def __call__(self, energy_change: Values, force: Values, beta: Values, prefactor: Values) -> Rates:
        # 1 / (1 + e^a) = (1 - tanh(a/2)) / 2 loses the small rate to cancellation; the logistic form does not.
        affinity = beta * (force - energy_change)
        return prefactor * _logistic(affinity), prefactor * _logistic(-affinity)


class Metropolis(AbstractRates):
    """Metropolis rates, V+- = G min{1, exp[-+beta (dE - f)]}.

    Not differentiable where dE = f; there the one-sided derivatives are averaged.
    Source     Metropolis et al., J. Chem. Phys. 21, 1087 (1953)
    """

    def __call__(self, energy_change: Values, force: Values, beta: Values, prefactor: Values) -> Rates:
        affinity = beta * (force - energy_change)
        zero = jnp.zeros_like(affinity)
        return prefactor * jnp.exp(jnp.minimum(affinity, zero)), prefactor * jnp.exp(jnp.minimum(-affinity, zero))


@jax.custom_jvp
def exponentials(x: Values) -> Rates:
    """e^x and e^-x by one exponential and a division, which takes a third of its time."""
    upward = jnp.exp(x)
    # Nothing changes in the maximum, but without it XLA makes 1/exp(x) an exponential again.
    return upward, 1.0 / jnp.maximum(upward, 0.0)


@exponentials.defjvp
def _(primals: tuple[Values], tangents: tuple[Values]) -> tuple[Rates, Rates]:
    # The derivative of the quotient would overflow where e^x is below 1e-154.
    upward, downward = exponentials(*primals)
    return (upward, downward), (upward * tangents[0], -downward * tangents[0])


def _logistic(x: Float[Array, "..."]) -> Float[Array, "..."]:
    small = jnp.exp(-jnp.abs(x))
    return jnp.where(x >= 0, 1.0, small) / (1.0 + small)


# Laws of this file, which the tests check once and for all.
CHECKED = (Arrhenius, LoadSharing, Glauber, Metropolis)
# Energy changes, forces and inverse temperatures at which a law is tried: every combination of them.
TRIED = ((-1.3, 0.2, 0.9), (-0.6, 0.0, 0.7), (0.4, 1.1, 2.0))
TRIED_PREFACTOR = 0.8


def require_rates(rates: object) -> AbstractRates:
    """The law, or a ValueError that says how it breaks local detailed balance.

    Values under a jax transformation are not looked at.
    """
    if not isinstance(rates, AbstractRates):
        raise ValueError(f"`rates` must be a jt.jumps.AbstractRates such as jt.jumps.Glauber(), but is {rates!r}")
    if isinstance(rates, CHECKED) or not is_known(rates):
        return rates
    _require_two_rates(rates)
    violation, where = detailed_balance_violation(rates)
    # Single precision resolves ln(V+/V-) to 1e-5 of the largest values tried.
    if not violation < (1e-8 if jnp.zeros(()).dtype == jnp.float64 else 1e-4):
        energy_change, force, beta = where
        raise ValueError(
            "`rates` must obey local detailed balance, ln(V+/V-) = -beta (dE - f), but "
            f"{type(rates).__name__} is off by {violation:.3g} at dE = {energy_change}, f = {force}, beta = {beta}"
        )
    return rates


def _require_two_rates(rates: AbstractRates) -> None:
    """A ValueError unless the law is a function of four numbers to two that jax can trace."""
    name, tried = type(rates).__name__, [jnp.asarray(value, float) for value in (0.3, 0.1, 1.0, TRIED_PREFACTOR)]
    try:
        found = jax.eval_shape(lambda *numbers: rates(*numbers), *tried)
    except UNTRACED as error:
        message = f"`rates` must be a law that jax can trace: write jax.numpy for numpy or math in {name}"
        raise ValueError(message) from error
    except TypeError as error:
        message = f"`rates` must be called with energy_change, force, beta and prefactor, but {name} says: {error}"
        raise ValueError(message) from error
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ValueError(f"`rates` must return two rates, forwards and backwards, but {name} returns {found!r}")


def detailed_balance_violation(rates: AbstractRates) -> tuple[float, tuple[float, float, float]]:
    """Largest |ln(V+/V-) + beta (dE - f)| over the values tried, and dE, f, beta where it occurs; inf where V <= 0."""
    grid = np.stack([values.ravel() for values in np.meshgrid(*TRIED, indexing="ij")])
    # A network may be made inside a trace; the law is looked at now all the same.
    with jax.ensure_compile_time_eval():
        energy_change, force, beta = (jnp.asarray(values, float) for values in grid)
        forward, backward = rates(energy_change, force, beta, jnp.asarray(TRIED_PREFACTOR, float))
    both = np.stack([np.broadcast_to(np.asarray(one, float), grid[0].shape) for one in (forward, backward)])
    possible = np.all((both > 0) & np.isfinite(both), axis=0)
    ratio = -np.diff(np.log(np.where(possible, both, 1.0)), axis=0)[0]
    expected = -grid[2] * (grid[0] - grid[1])
    off = np.where(possible, np.abs(ratio - expected), np.inf)
    worst = int(np.argmax(off))
    return float(off[worst]), (float(grid[0, worst]), float(grid[1, worst]), float(grid[2, worst]))

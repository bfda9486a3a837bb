"""Observables f(q, p) by their Weyl symbols, polynomials in p with functions of q as coefficients.

The operator with the symbol f(q) p^k is (p B + B p)/2 with B that of f(q) p^(k-1), so it is built up from what f(q) and
p do to the members. Classically the same steps give f(q) p^k and its Poisson bracket.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxthermo.brownian.accuracy.reach import confined
from jaxthermo.brownian.equilibria.stationary import norm_of
from jaxthermo.brownian.hierarchy import Equation, HierarchyState
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.potential import Identity, Potential, as_potential
from jaxthermo.brownian.response.observables import AbstractObservable, FunctionOfPosition, Momentum
from jaxthermo.brownian.states.phase_space import WeylSymbol
from jaxthermo.checks import as_float, is_known

# The highest power of p, and where it is tried whether there are higher ones: q and p at random, and a share of f.
MOST, POINTS, FLAT = 4, np.random.default_rng(0).normal(size=(8, 2)), 1e-9
# Where a density has fallen to this share it is about so many times its width away.
FALLEN, WIDTHS = 1e-6, 5.0

NAMES = ("q", "p", "X")


class FunctionOfPhaseSpace(AbstractObservable):
    """sum_k f_k(q) p^k, Weyl-ordered; `parts` has f_k at place k, None where it is 0."""

    parts: tuple[FunctionOfPosition | None, ...]

    @property
    def sign(self) -> float:
        """1 where all powers of p are even, -1 where all are odd; else NaN."""
        odd = {power % 2 for power, part in enumerate(self.parts) if part is not None}
        return {frozenset({1}): -1.0, frozenset({0, 1}): np.nan}.get(frozenset(odd), 1.0)

    @property
    def raises(self) -> int:
        """The highest power of p."""
        return len(self.parts) - 1

    def symmetrised(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """The sum of what each power does."""
        return self._acted(V, equation, temperature)[0]

    def after_impulse(self, V: HierarchyState, equation: Equation, temperature: Any) -> HierarchyState:
        """The sum of what each power does."""
        return self._acted(V, equation, temperature)[1]

    def _acted(self, V: HierarchyState, equation: Equation, temperature: Any) -> tuple[HierarchyState, HierarchyState]:
        each = [
            _power(part, power, V, equation, temperature) for power, part in enumerate(self.parts) if part is not None
        ]
        none = jnp.zeros_like(V)
        return sum((one for one, _ in each), none), sum((one for _, one in each), none)

    def linear(self) -> Bool[Array, ""]:
        """Not known."""
        return jnp.asarray(False)

    def slope(self, jitter: Float[Array, " modes"]) -> Float[Array, " z"]:
        """None: it is not known to be linear."""
        raise NotImplementedError("the slope of an observable that is not linear")

    def at(self, q: Float[Array, ""]) -> Float[Array, ""]:
        """Equation   f_0(q)."""
        return jnp.zeros_like(q) if self.parts[0] is None else self.parts[0].at(q)

    def mean(self, V: HierarchyState, equation: Equation, temperature: Any) -> Float[Array, ""]:
        """The trace of (B rho + rho B)/2."""
        return norm_of(self.symmetrised(V, equation, temperature), equation)


def _power(
    part: FunctionOfPosition, power: int, V: HierarchyState, equation: Equation, temperature: Any
) -> tuple[HierarchyState, HierarchyState]:
    """(B V + V B)/2 and (i/hbar) [B, V] with B of the symbol f(q) p^power.

    Equation   with S and K for these two maps, B = (p C + C p)/2: S = [S_p S_C + S_C S_p - (hbar/2)^2 (K_p K_C + K_C
               K_p)]/2, K = [S_p K_C + K_p S_C + S_C K_p + K_C S_p]/2
    """
    if power == 0:
        return part.symmetrised(V, equation, temperature), part.after_impulse(V, equation, temperature)
    momentum, oscillator = Momentum(), equation.oscillator

    def times_p(field: HierarchyState) -> HierarchyState:
        return momentum.symmetrised(field, equation, temperature)

    def by_p(field: HierarchyState) -> HierarchyState:
        return momentum.after_impulse(field, equation, temperature)

    fields = jnp.stack([V, times_p(V), by_p(V)])
    S, K = jax.vmap(lambda field: _power(part, power - 1, field, equation, temperature))(fields)
    quarter = 0.25 * oscillator.hbar**2 if oscillator.quantum else jnp.zeros(())
    symmetrised = times_p(S[0]) + S[1] - quarter * (by_p(K[0]) + K[2])
    return 0.5 * symmetrised, 0.5 * (times_p(K[0]) + by_p(S[0]) + S[2] + K[1])


def takes_two(function: Callable[..., Any]) -> bool:
    """Whether a callable must be given two arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in kinds and one.default is one.empty for one in parameters) == 2


def of_symbol(name: str, symbol: WeylSymbol, sizes: tuple[float, float] = (1.0, 1.0)) -> FunctionOfPhaseSpace:
    """The observable with this Weyl symbol; `sizes` of q and p in the states at which it is looked at.

    Raises     ValueError that names the argument, unless the symbol is a polynomial in p of degree 4 at most; numbers
               that jax traces are not looked at
    """
    slopes: list[Callable[..., Array]] = [lambda q, p: as_float(symbol(q, p))]
    for power in range(1, MOST + 1):
        slopes.append(_over(jax.grad(slopes[-1], argnums=1), power))
    q, p = jnp.asarray(POINTS * sizes).T
    values, series = _tried(slopes, q, p)
    kept = [True] * len(slopes)
    if is_known(values, series):
        size = float(np.max(np.abs(values)) + np.max(np.abs(series)))
        if not np.allclose(np.sum(series, axis=0), values, rtol=0.0, atol=FLAT * size):
            raise ValueError(f"`{name}` must be polynomials in p of degree {MOST} at most, but one of q and p is not")
        kept = [bool(np.max(np.abs(term)) > FLAT * size) for term in np.asarray(series)]
    last = max((power for power, own in enumerate(kept) if own), default=0)
    return FunctionOfPhaseSpace(tuple(_part(name, slopes[k]) if kept[k] else None for k in range(last + 1)))


def _over(function: Callable[..., Array], power: int) -> Callable[..., Array]:
    return lambda q, p: function(q, p) / power


def _tried(slopes: list[Callable[..., Array]], q: Array, p: Array) -> tuple[Array, Array]:
    """The symbol at some points, and the terms of its series in p there, (powers, points)."""
    values = jax.vmap(slopes[0])(q, p)
    terms = [jax.vmap(one)(q, jnp.zeros_like(p)) * p**power for power, one in enumerate(slopes)]
    return values, jnp.stack(terms)


def _part(name: str, coefficient: Callable[..., Array]) -> FunctionOfPosition:
    return FunctionOfPosition(as_potential(name, lambda q: coefficient(q, jnp.zeros(()))))


# A name, a function of q, or a function of q and p.
ObservableLike: TypeAlias = str | Potential | WeylSymbol
Pair: TypeAlias = tuple[AbstractObservable, AbstractObservable]


def pair_of(
    observables: Sequence[ObservableLike], oscillator: Oscillator, beta: Float[Array, ""], x: Float[Array, ""]
) -> Pair:
    """The two observables of a correlation; ValueError unless they are two names or functions of q, or of q and p."""
    if not isinstance(observables, tuple | list) or len(observables) != 2:
        raise ValueError(f"`observables` must be two, such as ('q', 'p'), but are {observables!r}")
    first, second = (_observable(one, oscillator, beta, x) for one in observables)
    return first, second


def _observable(
    what: ObservableLike, oscillator: Oscillator, beta: Float[Array, ""], x: Float[Array, ""]
) -> AbstractObservable:
    if isinstance(what, str):
        if what not in NAMES:
            raise ValueError(
                f"`observables` must be 'q', 'p', 'X' or functions of q, or of q and p, but one is {what!r}"
            )
        if what == "p":
            return Momentum()
        return FunctionOfPosition(Identity() if what == "q" else oscillator.coordinate)
    if callable(what) and takes_two(what):
        return of_symbol("observables", cast(WeylSymbol, what), _sizes(oscillator, beta, x))
    return FunctionOfPosition(as_potential("observables", cast(Potential, what)))


def _sizes(oscillator: Oscillator, beta: Float[Array, ""], x: Float[Array, ""]) -> tuple[float, float]:
    """About the sizes of q and p in the stationary state, in the user's units; 1 where jax traces them."""
    grid = oscillator.grid
    if grid is not None and is_known(grid.q_max, grid.p_max):
        return float(grid.q_max) / WIDTHS, float(grid.p_max) / WIDTHS
    if not is_known(jax.tree.leaves(oscillator), beta, x):
        return 1.0, 1.0
    reach = confined(oscillator, float(beta), float(x), FALLEN)
    return reach / WIDTHS, float(jnp.sqrt(oscillator.mass / beta))

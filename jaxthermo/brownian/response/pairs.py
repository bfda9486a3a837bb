"""The two observables of a correlation, from what the user calls them."""

from collections.abc import Sequence
from typing import TypeAlias, cast

from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.phase_space import WeylSymbol
from jaxthermo.brownian.potential import Identity, Potential, as_potential
from jaxthermo.brownian.response.observables import AbstractObservable, FunctionOfPosition, Momentum
from jaxthermo.brownian.response.weyl import of_symbol, takes_two

NAMES = ("q", "p", "X")
# A name, a function of q, or a function of q and p.
ObservableLike: TypeAlias = str | Potential | WeylSymbol
Pair: TypeAlias = tuple[AbstractObservable, AbstractObservable]


def pair_of(observables: Sequence[ObservableLike], oscillator: Oscillator) -> Pair:
    """The two observables of a correlation; ValueError unless they are two names or functions of q, or of q and p."""
    if not isinstance(observables, tuple | list) or len(observables) != 2:
        raise ValueError(f"`observables` must be two, such as ('q', 'p'), but are {observables!r}")
    first, second = (_observable(one, oscillator) for one in observables)
    return first, second


def _observable(what: ObservableLike, oscillator: Oscillator) -> AbstractObservable:
    if isinstance(what, str):
        if what not in NAMES:
            raise ValueError(
                f"`observables` must be 'q', 'p', 'X' or functions of q, or of q and p, but one is {what!r}"
            )
        if what == "p":
            return Momentum()
        return FunctionOfPosition(Identity() if what == "q" else oscillator.coordinate)
    if callable(what) and takes_two(what):
        return of_symbol("observables", cast(WeylSymbol, what))
    return FunctionOfPosition(as_potential("observables", cast(Potential, what)))

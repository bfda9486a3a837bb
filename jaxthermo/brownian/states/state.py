"""A state of the oscillator and its bath, with what is measured on it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import quantity
from jaxthermo._status import first_problem
from jaxthermo._types import Stats
from jaxthermo.brownian.accuracy.promise import state_problem, trapping
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, equation_on, members_of
from jaxthermo.brownian.observables import measured, observe, wigner
from jaxthermo.brownian.oscillator import Oscillator, place_problem
from jaxthermo.brownian.records import AbstractRecord, oscillator_of, require_one, status_of
from jaxthermo.brownian.states.starts import AbstractStarts
from jaxthermo.solve.lean import brief_jit

if TYPE_CHECKING:
    import xarray


class State(AbstractRecord, AbstractStarts):
    """A state of the hierarchy on a grid; made by `jt.equilibrium`, taken by `jt.drive` and the searches.

    `status` is `Status.ok` where X, <q^2>, <p^2> and U are right to 1e-6 of their scale for this number of poles.
    `oscillator` has the grid and the depth that were chosen; `V` are all members of the hierarchy, written for `beta`.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    beta: Float[Array, "*batch"] = quantity("1/energy", "inverse temperature of the bath")
    x: Float[Array, "*batch"] = quantity("energy/X", "field x")
    position: Float[Array, "*batch q"] = quantity("length", "position q", ("position",), coordinate=True)
    momentum: Float[Array, "*batch p"] = quantity("momentum", "momentum p", ("momentum",), coordinate=True)
    V: HierarchyState = quantity("1/action", "members of the hierarchy", ("momentum", "member", "position"))
    wigner: Float[Array, "*batch q p"] = quantity(
        "1/action", "Wigner function, classically the phase-space density", ("position", "momentum")
    )
    X: Float[Array, "*batch"] = quantity(*measured("X"))
    U: Float[Array, "*batch"] = quantity(*measured("U"))
    norm: Float[Array, "*batch"] = quantity(*measured("norm"))
    q: Float[Array, "*batch"] = quantity(*measured("q"))
    q2: Float[Array, "*batch"] = quantity(*measured("q2"))
    p2: Float[Array, "*batch"] = quantity(*measured("p2"))
    qp: Float[Array, "*batch"] = quantity(*measured("qp"))
    purity: Float[Array, "*batch"] = quantity(*measured("purity"))
    min_wigner: Float[Array, "*batch"] = quantity(*measured("min_wigner"))
    edge: Float[Array, "*batch"] = quantity(*measured("edge"))
    coarse: Float[Array, "*batch"] = quantity(*measured("coarse"))
    tail: Float[Array, "*batch"] = quantity(*measured("tail"))
    tail_density: Float[Array, "*batch"] = quantity(*measured("tail_density"))
    residual: Float[Array, "*batch"] = quantity("1/(action time)", "max |dW_0/dt| of an equilibrium, else NaN")
    error: Float[Array, "*batch"] = quantity("1", "bound on what the linear solve has left, over the state's size")

    @property
    def grid(self) -> PhaseGrid:
        """The phase grid of the state."""
        grid = self.oscillator.grid
        assert grid is not None
        return grid

    @property
    def equation(self) -> Equation:
        """The discretised equation that the state belongs to."""
        return _prepared(self.oscillator)

    @classmethod
    def from_dataset(cls, dataset: "xarray.Dataset", oscillator: Oscillator | None = None) -> "State":
        """The state that `to_dataset` wrote.

        dataset      as made by `to_dataset`
        oscillator   None: as recorded in the dataset, which takes a potential and a bath that are classes
        Raises       ValueError if the dataset holds no state or several, or records an oscillator that cannot be made
                     again
        """
        names = ("V", "beta", "x", "residual", "error")
        # Of a start without correlations these are not what its members give on the grid.
        own = ("wigner", "purity", "min_wigner")
        require_one(dataset, "jt.State", [*names, *own])
        oscillator = oscillator_of(dataset, oscillator)
        state = measured_state(oscillator, *(jnp.asarray(dataset[name].values) for name in names))
        known: dict[str, Any] = {name: jnp.asarray(dataset[name].values) for name in own}
        factorised = {"factorised": np.int32(1)} if "factorised" in dataset.attrs else {}
        return replace(state, status=status_of(dataset), stats={**state.stats, **factorised}, **known)


@brief_jit
def measured_state(
    oscillator: Oscillator,
    V: HierarchyState,
    beta: Float[Array, ""],
    x: Float[Array, ""],
    residual: Float[Array, ""],
    error: Float[Array, ""],
    t: Float[Array, ""] | float = 0.0,
    *,
    exact: bool = False,
    truncated: Float[Array, ""] | float = jnp.nan,
    W: Float[Array, "p q"] | None = None,
) -> State:
    """A state from its members: everything else is measured on them.

    An `error` of NaN means that no linear solve made the state; grid and hierarchy are judged all the same. `exact`:
    the grid had no part in its making, and only holds it. `truncated`: see `state_problem`. `W`: the Wigner function,
    where it is known better than from the members on the grid.
    """
    grid = oscillator.mesh
    equation = equation_on(oscillator)
    W = wigner(V, equation, 1.0 / beta, t) if W is None else W
    seen = observe(V, equation, 1.0 / beta, t, W)
    trapped = jnp.where(jnp.isnan(error), 1.0, trapping(oscillator.height(grid.q, x), beta))
    left = jnp.where(jnp.isnan(error), 0.0, error)
    return State(
        status=first_problem(
            place_problem(oscillator, beta, x), state_problem(seen, left, oscillator, exact, truncated, trapped)
        ),
        stats={"members": len(members_of(oscillator))},
        oscillator=oscillator,
        beta=beta,
        x=x,
        position=grid.q,
        momentum=grid.p,
        V=V,
        wigner=W.T,
        residual=residual,
        error=error,
        **seen.named(),
    )


_prepared = brief_jit(equation_on)

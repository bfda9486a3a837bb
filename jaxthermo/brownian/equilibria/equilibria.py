"""The correlated stationary state of the oscillator and its bath at one temperature and field."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxthermo._results import warn_unless_ok
from jaxthermo._status import Status
from jaxthermo._types import ScalarLike
from jaxthermo.brownian.accuracy.automatic import MOST_MEMBERS, resolved, until_held
from jaxthermo.brownian.accuracy.promise import SOLVED, growth_of_state
from jaxthermo.brownian.equilibria.stationary import TOLERANCE, is_classical, stationary_members
from jaxthermo.brownian.hierarchy import HierarchyState, equation_on, vector_field
from jaxthermo.brownian.levels.matrices import is_hard
from jaxthermo.brownian.levels.solve import LevelState, equilibrium_by_levels, on_grid
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.brownian.states.state import State, measured_state
from jaxthermo.checks import is_known, require_double_for, require_scalar
from jaxthermo.solve.lean import brief_jit, lean_jit
from jaxthermo.solve.progress import Line

# How often a grid or a depth that was left open is chosen.
RETRIES = 4

Way = Callable[[Oscillator, int], State | None]


def equilibrium(oscillator: Oscillator, beta: ScalarLike, x: ScalarLike, *, progress: bool | None = None) -> State:
    """The stationary state of the hierarchy at constant beta and x, with its correlations with the bath.

    Equation   L V = 0, int W_0 dq dp = 1, solved by generalised conjugate residuals on M L V with M a short relaxation,
               so that the answer is the null vector of the spectral generator itself, without a time step's error

    oscillator   of `jt.quantum_oscillator` or `jt.classical_oscillator`; a grid or a depth left open is chosen
    beta         inverse temperature, 1/energy; a scalar (batch with jax.vmap and a given grid; lanes are solved one
                 after another)
    x            field, energy per unit of X; a scalar
    progress     whether a line on standard error tells what is being solved; None: on a terminal and in notebooks,
                 where it takes seconds
    Returns      a `State`, with its measured quantities by name
    Raises       ValueError that names the argument; if the oscillator has no grid and jax traces beta or x; without
                 double precision; for a bath without `flows` whose depth was left open
    Accuracy     `status` is ok where X, <q^2>, <p^2> and U are right to 1e-6 of their scale for the given number of
                 poles. A grid or a depth that was left open, and was found too small, is chosen again. A state that is
                 not ok raises a `JaxthermoWarning`, unless jax traces
    Source       Koyanagi & Tanimura 2024, Sec. III

    The classical state is Boltzmann's. Where that search would be long (weak or very strong coupling, two wells, a deep
    hierarchy), or has failed, and beta, x and the oscillator are known, the hierarchy is solved among the lowest levels
    instead, and what the grid misses does not add up over the time of friction; a depth that was left open is then
    raised until two depths agree. Under jit, vmap and grad there is only the search on the grid, which says
    `Status.not_converged` in such corners. `Status.no_density`: with few poles at low temperature the equation itself
    may rest where a variance is negative.
    Differentiable in beta, x and the parameters of the oscillator, in both modes (the linear solve is differentiated,
    not its iterations; baths other than `OhmicBath`: forward mode). A derivative in reverse mode whose own solve does
    not converge is NaN. Windows of `SwitchedBaths` are taken at t = 0.

    Example
        >>> import jaxthermo as jt
        >>> harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> state = jt.equilibrium(harmonic, beta=1.0, x=0.3)
        >>> round(float(state.X), 9), round(float(state.p2), 9), state.outcome
        (0.3, 1.0, 'ok')
    """
    beta, x = check_place(oscillator, beta, x)
    require_double_for(TOLERANCE, TOLERANCE)
    state = state_at(oscillator, beta, x, progress=progress)
    warn_unless_ok(state)
    return state


def state_at(oscillator: Oscillator, beta: Any, x: Any, t: Any = 0.0, progress: bool | None = None) -> State:
    """`equilibrium` of checked arguments without a warning, in the bath as it is at time t."""
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    _require_open(oscillator, t)
    require_depth(oscillator)
    resting = oscillator.with_bath(oscillator.bath.at(t))
    with Line("equilibrium", progress) as line:
        state = _resting(resting, resolved(resting, beta, x), beta, x, line)
    bath, depth = oscillator.bath, state.oscillator.bath.depth
    if bath.depth is None and depth is not None:
        bath = bath.with_depth(depth)
    return eqx.tree_at(lambda s: s.oscillator.bath, state, bath)


def require_depth(oscillator: Oscillator) -> None:
    """ValueError where a search would be left to choose a depth that it has not the time for.

    Without exact flows each of its steps is thousands of explicit ones, so a deep hierarchy takes many minutes.
    """
    bath = oscillator.bath
    if bath.depth is None and bath.modes and bath.flows() is None:
        raise ValueError(
            "`depth` of a bath without `flows` must be given where an equilibrium is sought: begin with depth=2 on a "
            "small grid, and raise it until nothing changes; or give jt.drive a `state` to start from"
        )


def _require_open(oscillator: Oscillator, t: Any) -> None:
    """ValueError where nothing is coupled to the oscillator, so that any state of its own rests."""
    ledger = oscillator.ledger
    if ledger is not None and is_known(t, jax.tree.leaves(ledger)) and not float(ledger.friction(t)) > 0.0:
        raise ValueError(
            f"`windows` must not all be closed at t = {float(t):g}, where nothing chooses the state to start from; "
            "give one, as jt.State.from_wigner makes it"
        )


def _resting(oscillator: Oscillator, chosen: Oscillator, beta: Array, x: Array, line: Line) -> State:
    if not is_known(jax.tree.leaves((chosen, beta, x))):
        return _solve(chosen, beta, x)
    ways: list[Way] = [lambda chosen, _: _solve(chosen, beta, x)]
    levels = _ByLevels(chosen, beta, x, 0 if oscillator.bath.depth is not None else MOST_MEMBERS)
    if oscillator.quantum:
        ways.append(levels)
        if is_hard(chosen, float(beta), float(x)):
            ways.reverse()
    found = None
    for way in ways:
        state = until_held(way, chosen, oscillator, growth_of_state, RETRIES, line)
        if state is None:
            continue
        if found is None or state.ok:
            found = state
        status = Status(int(found.status))
        if status not in _mendable(oscillator) and float(found.error) < SOLVED:
            break
        # A grid has no more members than these, so that its search would be long and in vain.
        if status is Status.hierarchy_too_shallow and levels.members >= MOST_MEMBERS:
            break
    assert found is not None
    return found


def _mendable(asked: Oscillator) -> tuple[Status, ...]:
    """What may be missing from one way of solving and not from another, since it was not asked for."""
    grid = () if asked.grid is not None else (Status.grid_too_small, Status.grid_too_coarse)
    depth = () if asked.bath.depth is not None else (Status.hierarchy_too_shallow,)
    return Status.not_converged, *grid, *depth


class _ByLevels:
    """The state from the levels of H_A, None where these are too many; another grid asks for no other levels."""

    def __init__(self, oscillator: Oscillator, beta: Array, x: Array, most: int):
        self.oscillator, self.beta, self.x, self.most = oscillator, beta, x, most
        self.solved: list[LevelState | None] = []

    @property
    def members(self) -> int:
        """Of the hierarchy that was solved; 0 before it was."""
        return max((len(found.members) for found in self.solved if found is not None), default=0)

    def __call__(self, chosen: Oscillator, attempt: int) -> State | None:
        if not self.solved:
            self.solved.append(equilibrium_by_levels(self.oscillator, float(self.beta), float(self.x)))
        found = self.solved[0]
        if found is None:
            return None
        kept, *fields = on_grid(chosen, found, self.most)
        V, W, error, truncated = (jnp.asarray(number) for number in (*fields, found.error, found.truncated))
        return _measured(kept, V, W, self.beta, self.x, error, truncated)


def _solve(oscillator: Oscillator, beta: Array, x: Array) -> State:
    if is_known(jax.tree.leaves((oscillator, beta, x))):
        V, error = _solved(oscillator, beta, x, False, True)
        if not float(error) < SOLVED:
            V, error = _solved(oscillator, beta, x, False, False)
    else:
        V, error = _solved(oscillator, beta, x, True, False)
    return _measured(oscillator, V, None, beta, x, error, jnp.nan)


@lean_jit
def _solved(
    oscillator: Oscillator, beta: Array, x: Array, differentiable: bool, few: bool
) -> tuple[HierarchyState, Array]:
    return stationary_members(equation_on(oscillator), 1.0 / beta, x, differentiable, few)


# A program of its own: it runs once, so its machine code need not be good, and takes half the time to compile.
@brief_jit
def _measured(
    oscillator: Oscillator,
    V: HierarchyState,
    W: Array | None,
    beta: Array,
    x: Array,
    error: Array,
    truncated: Array | float,
) -> State:
    """The state of these members; W where the Wigner function is known better than from those on the grid."""
    equation = equation_on(oscillator)
    residual = jnp.max(jnp.abs(vector_field(V, equation, 0.0, 1.0 / beta, x)[:, 0]))
    exact = W is not None or is_classical(equation)
    return measured_state(oscillator, V, beta, x, residual, error, exact=exact, truncated=truncated, W=W)

"""What a driven solve gives: series over time by name, work and heat, and whether they may be relied on."""

from typing import TYPE_CHECKING, Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import quantity
from jaxthermo._sparkline import sparkline
from jaxthermo._types import ScalarLike, Stats
from jaxthermo.brownian.observables import LABELS
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.records import AbstractRecord, is_function, oscillator_of, require_one, restored, status_of
from jaxthermo.brownian.states.state import State, measured_state
from jaxthermo.brownian.steps.propagation import Drive, DriveSolution, Protocol, unaccounted
from jaxthermo.checks import as_float, is_known
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.schedules import Schedule, Table, value_at
from jaxthermo.provenance import recorded

if TYPE_CHECKING:
    import xarray

Run = TypeVar("Run", bound="AbstractRun")

SERIES = {
    "beta": ("1/energy", "inverse temperature of the bath"),
    "x": ("energy/X", "field x"),
    "H": ("energy", "enthalpy U - x X"),
    **LABELS,
}
WORKS = {
    "work": ("energy", "work done on the oscillator, -int X dx"),
    "heat": ("energy", "heat into the oscillator, int (dU - x dX)"),
    "bath_heat": ("energy", "heat from the currents through the bath's operators"),
    "work_int": ("1", "dimensionless intensive work, int (U dbeta - X d(beta x))"),
    "work_ext": ("1", "dimensionless extensive work, int (U dbeta + beta x dX)"),
    "heat_int": ("1", "dimensionless intensive heat, int (beta dU + X d(beta x))"),
    "heat_ext": ("1", "dimensionless extensive heat, int (beta dU - beta x dX)"),
}
# What some runs are without.
OPTIONAL = {"members", "bath"} | {f"{part}{name}_of" for part in ("", "cumulative_") for name in ("heat", "switching")}
CANNOT = "`dataset` cannot be read, since it records"
FIRST_LAW = ("energy", "largest difference between the two ways to count heat")

BATH = ("1/energy", "inverse temperature of each bath", ("bath",))
HEAT_OF = ("energy", "heat from each bath: what it loses, with its part in the coupling")
SWITCHING_OF = ("energy", "work of switching each bath, -int <q F_b> dxi_b")

TIME = ("time", "time", ("time",))
POSITION, MOMENTUM = ("length", "position q", ("position",)), ("momentum", "momentum p", ("momentum",))
MEMBERS, AXES = ("1/action", "members of the hierarchy"), ("momentum", "member", "position")


def _series(name: str) -> tuple[str, str, tuple[str, ...]]:
    return *{**SERIES, **WORKS}[name], ("time",)


class AbstractRun(AbstractRecord):
    """A driven solve: its series, its states, and how it is read again."""

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    tol: Float[Array, "*batch"]
    time: Float[Array, "*batch times"] = quantity(*TIME, coordinate=True)
    beta: Float[Array, "*batch times"] = quantity(*_series("beta"))
    x: Float[Array, "*batch times"] = quantity(*_series("x"))
    X: Float[Array, "*batch times"] = quantity(*_series("X"), main=True)
    U: Float[Array, "*batch times"] = quantity(*_series("U"), main=True)
    H: Float[Array, "*batch times"] = quantity(*_series("H"))
    q: Float[Array, "*batch times"] = quantity(*_series("q"))
    q2: Float[Array, "*batch times"] = quantity(*_series("q2"))
    p2: Float[Array, "*batch times"] = quantity(*_series("p2"))
    qp: Float[Array, "*batch times"] = quantity(*_series("qp"))
    purity: Float[Array, "*batch times"] = quantity(*_series("purity"))
    norm: Float[Array, "*batch times"] = quantity(*_series("norm"))
    min_wigner: Float[Array, "*batch times"] = quantity(*_series("min_wigner"))
    edge: Float[Array, "*batch times"] = quantity(*_series("edge"))
    coarse: Float[Array, "*batch times"] = quantity(*_series("coarse"))
    tail: Float[Array, "*batch times"] = quantity(*_series("tail"))
    tail_density: Float[Array, "*batch times"] = quantity(*_series("tail_density"))
    first_law_residual: Float[Array, "*batch"] = quantity(*FIRST_LAW)
    position: Float[Array, "*batch q"] = quantity(*POSITION, coordinate=True)
    momentum: Float[Array, "*batch p"] = quantity(*MOMENTUM, coordinate=True)
    V: Float[Array, "*batch p n q"] = quantity(*MEMBERS, AXES)
    members: Float[Array, "*batch times p n q"] | None = quantity(*MEMBERS, ("time", *AXES))

    @property
    def final(self) -> State:
        """The state at the last time, to be driven on or looked at; in a cycle that is the one at its beginning."""
        return self._state(self.V, -1)

    def state_at(self, time: ScalarLike) -> State:
        """The state nearest to a time; ValueError unless the run kept its states."""
        if self.members is None:
            raise ValueError("`keep_states` must be True in the jt.drive or jt.run_cycle that made this run")
        index = jnp.argmin(jnp.abs(self.time - as_float(time)))
        return self._state(self.members[index], index)

    def _state(self, V: Array, index: Any) -> State:
        unknown = jnp.asarray(jnp.nan)
        return measured_state(self.oscillator, V, self.beta[index], self.x[index], unknown, unknown, self.time[index])


class DrivenRun(AbstractRun):
    """The oscillator under a protocol, at the times asked for; made by `jt.drive`.

    Work and heat are those since the first time. With `SwitchedBaths` the heat comes from several baths, and switching
    them takes work: `heat_of` and `switching_of` have both bath by bath, and heat is their sum, so that H - H(0) = work
    + sum of heat_of + sum of switching_of. With one bath they are None. `V` are all members of the hierarchy at the
    last time, `members` those at every time where `keep_states` asked for them.
    """

    protocol: Protocol
    work: Float[Array, "*batch times"] = quantity(*_series("work"), main=True)
    heat: Float[Array, "*batch times"] = quantity(*_series("heat"), main=True)
    bath_heat: Float[Array, "*batch times"] = quantity(*_series("bath_heat"))
    work_int: Float[Array, "*batch times"] = quantity(*_series("work_int"))
    work_ext: Float[Array, "*batch times"] = quantity(*_series("work_ext"))
    heat_int: Float[Array, "*batch times"] = quantity(*_series("heat_int"))
    heat_ext: Float[Array, "*batch times"] = quantity(*_series("heat_ext"))
    bath: Float[Array, "*batch baths"] | None = quantity(*BATH, coordinate=True)
    heat_of: Float[Array, "*batch times baths"] | None = quantity(*HEAT_OF, ("time", "bath"))
    switching_of: Float[Array, "*batch times baths"] | None = quantity(*SWITCHING_OF, ("time", "bath"))

    @classmethod
    def from_dataset(cls, dataset: "xarray.Dataset", oscillator: Oscillator | None = None) -> "DrivenRun":
        """The run that `to_dataset` wrote; arguments and errors as `State.from_dataset`."""
        return _read(cls, dataset, oscillator, protocol=Protocol(*(_schedule(dataset, name) for name in ("beta", "x"))))


class PeriodicRun(AbstractRun):
    """One turn of a stationary cycle; made by `jt.run_cycle`.

    `work` and `heat` are those of one cycle, series named `cumulative_...` those since its beginning. With
    `SwitchedBaths`, or a cycle that switches baths, `heat_of` and `switching_of` are bath by bath what `DrivenRun`
    says, and their sum is `heat`; with one bath they are None. `residual` is the
    2-norm over phase space of what one more turn changes, in units in which the state has sigma_q sigma_p = 1;
    `step_error` the estimated error of the work from the time step, NaN where one number of steps was asked for. `V`
    are the members at the end of the period, `members` those at every time where `keep_states` asked for them.
    """

    cycle: AbstractCycle
    points: int = eqx.field(static=True)
    work: Float[Array, "*batch"] = quantity("energy", "work done on the oscillator in one cycle, -int X dx")
    heat: Float[Array, "*batch"] = quantity("energy", "heat into the oscillator in one cycle, int (dU - x dX)")
    residual: Float[Array, "*batch"] = quantity(
        "1", "2-norm of what one more turn changes, in units in which the state has sigma_q sigma_p = 1"
    )
    step_error: Float[Array, "*batch"] = quantity("energy", "estimated error of the work from the time step")
    cumulative_work: Float[Array, "*batch times"] = quantity(*_series("work"))
    cumulative_heat: Float[Array, "*batch times"] = quantity(*_series("heat"))
    cumulative_bath_heat: Float[Array, "*batch times"] = quantity(*_series("bath_heat"))
    cumulative_work_int: Float[Array, "*batch times"] = quantity(*_series("work_int"))
    cumulative_work_ext: Float[Array, "*batch times"] = quantity(*_series("work_ext"))
    cumulative_heat_int: Float[Array, "*batch times"] = quantity(*_series("heat_int"))
    cumulative_heat_ext: Float[Array, "*batch times"] = quantity(*_series("heat_ext"))
    bath: Float[Array, "*batch baths"] | None = quantity(*BATH, coordinate=True)
    heat_of: Float[Array, "*batch baths"] | None = quantity(*HEAT_OF, ("bath",), main=True)
    switching_of: Float[Array, "*batch baths"] | None = quantity(*SWITCHING_OF, ("bath",), main=True)
    cumulative_heat_of: Float[Array, "*batch times baths"] | None = quantity(*HEAT_OF, ("time", "bath"))
    cumulative_switching_of: Float[Array, "*batch times baths"] | None = quantity(*SWITCHING_OF, ("time", "bath"))

    def _picture(self) -> str:
        """The work diagram, X across and x upwards: its area is the work."""
        known = is_known(self.X, self.x) and self.X.ndim == 1
        return sparkline(np.asarray(self.X), np.asarray(self.x), 160, 120) if known else ""

    @classmethod
    def from_dataset(cls, dataset: "xarray.Dataset", oscillator: Oscillator | None = None) -> "PeriodicRun":
        """The run that `to_dataset` wrote; arguments and errors as `State.from_dataset`."""
        record = recorded(dataset.attrs)["cycle"]
        # Of a cycle of functions, straight lines between the values at its saved times.
        lines = {f"{name}_schedule": _lines(dataset, name) for name in ("beta", "x")}
        record |= {name: line for name, line in lines.items() if is_function(record.get(name))}
        return _read(cls, dataset, oscillator, cycle=restored(record, CANNOT))


def series_of(drive: Drive, solution: DriveSolution, prefix: str = "") -> dict[str, Any]:
    """The fields that both kinds of run share, by name; work and heat under names with the prefix."""
    oscillator, protocol, ts = drive.oscillator, drive.protocol, drive.times
    seen, grid = solution.measured, oscillator.grid
    assert grid is not None
    beta, x = (jax.vmap(lambda t, s=s: value_at(s, t))(ts) for s in (protocol.beta, protocol.x))
    works = work_and_heat(beta, x, seen.X, seen.U, solution.totals)
    H = seen.U - x * seen.X
    return {
        "oscillator": oscillator,
        "time": ts,
        "beta": beta,
        "x": x,
        "H": H,
        **seen.named(),
        **{prefix + name: values for name, values in works.items()},
        "first_law_residual": jnp.max(jnp.abs(unaccounted(solution, x))),
        "position": grid.q,
        "momentum": grid.p,
        "V": solution.V,
        "members": solution.members,
        **exchange_of(oscillator, solution.totals, prefix),
    }


def exchange_of(oscillator: Oscillator, totals: Float[Array, "times totals"], prefix: str) -> dict[str, Any]:
    """Heat and work of switching bath by bath; None where there is one bath."""
    names = (f"{prefix}heat_of", f"{prefix}switching_of")
    ledger = oscillator.ledger
    if ledger is None:
        return dict.fromkeys(("bath", *names))
    return {"bath": 1.0 / ledger.temperatures, **dict(zip(names, jnp.split(totals[:, 4:], 2, axis=1), strict=True))}


def work_and_heat(beta: Array, x: Array, X: Array, U: Array, totals: Array) -> dict[str, Array]:
    """Cumulated work and heat from the running integrals, by parts, so that their sums are exact differences."""
    x_moved, u_dbeta, scaled_moved = totals[:, 0], totals[:, 1], totals[:, 2]
    scaled = beta * x

    def since(values: Array) -> Array:
        return values - values[0]

    work_int = u_dbeta - scaled_moved
    work_ext = u_dbeta + since(scaled * X) - scaled_moved
    return {
        "work": -x_moved,
        "heat": since(U) - (since(x * X) - x_moved),
        "bath_heat": totals[:, 3],
        "work_int": work_int,
        "work_ext": work_ext,
        "heat_int": since(beta * U) - work_int,
        "heat_ext": since(beta * U) - work_ext,
    }


def _read(cls: type[Run], dataset: "xarray.Dataset", oscillator: Oscillator | None, **parameters: Any) -> Run:
    """A run from its dataset: arrays by name, what the attributes say, and parameters that the caller made again."""
    labelled = {name: f for name, f in cls.__dataclass_fields__.items() if "quantity" in f.metadata}
    require_one(dataset, f"jt.brownian.{cls.__name__}", labelled.keys() - OPTIONAL)
    made = object.__new__(cls)
    values: dict[str, Any] = {name: jnp.asarray(dataset[name].values) for name in labelled if name in dataset}
    values["status"] = status_of(dataset)
    known = {"steps", "cycles", "steps_per_piece", "meshes"} & set(dataset.attrs)
    values["stats"] = {name: jnp.asarray(np.int32(dataset.attrs[name])) for name in known}
    record = recorded(dataset.attrs)
    values |= {name: record[name] for name in ("points",) if name in record}
    values |= {name: restored(record[name]) for name in ("tol",) if name in record}
    values |= {name: values.get(name) for name in OPTIONAL & labelled.keys()}
    values |= {"oscillator": oscillator_of(dataset, oscillator), **parameters}
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _schedule(dataset: "xarray.Dataset", name: str) -> Schedule:
    """The schedule that a dataset records, or where that is a function, straight lines between its values."""
    record = recorded(dataset.attrs)["protocol"][name]
    return restored(_lines(dataset, name) if is_function(record) else record, CANNOT)


def _lines(dataset: "xarray.Dataset", name: str) -> dict[str, Any]:
    """The record of a `Table` of a schedule's values at the saved times."""
    return {"class": Table.__qualname__, "times": dataset["time"].values, "values": dataset[name].values}

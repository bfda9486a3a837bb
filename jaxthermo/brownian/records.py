"""The parameters that a dataset records, as objects again."""

import dataclasses
from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import equinox as eqx
from jaxtyping import Array, Int

from jaxthermo._results import AbstractResult
from jaxthermo._status import Status, as_codes
from jaxthermo._types import PathLike
from jaxthermo.brownian.bath import AbstractBath
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.potential import AbstractPotential
from jaxthermo.checks import as_float
from jaxthermo.protocols.cycle import AbstractCycle
from jaxthermo.protocols.formula import Formula, Opaque
from jaxthermo.protocols.schedules import AbstractSchedule
from jaxthermo.provenance import recorded

# What `jaxthermo.protocols.formula` makes of a function.
FUNCTIONS = (Formula.__qualname__, Opaque.__qualname__)

if TYPE_CHECKING:
    from typing import Self

    import xarray


class AbstractRecord(AbstractResult):
    """A result that can be made again from its dataset, and from the file that `save` wrote."""

    @classmethod
    @abstractmethod
    def from_dataset(cls, dataset: "xarray.Dataset", oscillator: Oscillator | None = None) -> "Self":
        """What `to_dataset` wrote; arguments and errors as `State.from_dataset`."""

    @classmethod
    def load(cls, path: PathLike, oscillator: Oscillator | None = None) -> "Self":
        """What `save` wrote to the file `path`; the oscillator as `State.from_dataset`."""
        import xarray

        return cls.from_dataset(xarray.load_dataset(path, engine="scipy"), oscillator)


def require_one(dataset: "xarray.Dataset", kind: str, names: Iterable[str]) -> None:
    """ValueError unless a dataset holds these variables of one state or run, and not of a batch."""
    if not set(names) <= set(dataset.variables):
        raise ValueError(f"`dataset` must come from `to_dataset` of a {kind}")
    lanes = [str(dim) for dim in dataset.dims if str(dim).startswith("lane_")]
    if lanes or "status" in dataset.variables:
        raise ValueError(
            f"`dataset` must hold one {kind}, but is of a batch with the axes {lanes}; write its members one by one, "
            "jax.tree.map(lambda leaf: leaf[0], batch).to_dataset()"
        )


def oscillator_of(dataset: "xarray.Dataset", oscillator: Oscillator | None) -> Oscillator:
    """The oscillator that a dataset records, or the one given, with the grid and the depth that the dataset records.

    Raises     ValueError if the record holds a function, or a class that is not imported, and none is given
    """
    record = recorded(dataset.attrs).get("oscillator")
    if not isinstance(record, dict):
        raise ValueError("`dataset` must record its oscillator, as `to_dataset` does")
    if oscillator is None:
        return restored(record)
    check_oscillator(oscillator)
    chosen = (restored(record["grid"]), _deep(oscillator.bath, record["bath"]))
    return eqx.tree_at(lambda o: (o.grid, o.bath), oscillator, chosen, is_leaf=lambda leaf: leaf is None)


def _deep(bath: AbstractBath, record: dict[str, Any]) -> AbstractBath:
    """The bath with the recorded depth, where its own was left open."""
    return bath if bath.depth is not None else bath.with_depth(record["depth"])


def status_of(dataset: "xarray.Dataset") -> Int[Array, ""]:
    """The status that a dataset has in words."""
    return as_codes(next(member for member in Status if member.word == dataset.attrs["status"]))


def is_function(record: Any) -> bool:
    """Whether a record stands for a function, of which only a name, or the numbers in it, was written."""
    return isinstance(record, str) or (isinstance(record, dict) and record["class"] in FUNCTIONS)


def restored(record: Any, trouble: str = "`oscillator` must be given, since the dataset records") -> Any:
    """What a record of the provenance stands for: modules by the name of their class, numbers as arrays.

    Raises     ValueError that begins with `trouble`, where it is or holds a function, or a class not known here
    """
    if isinstance(record, list) and any(isinstance(entry, dict) for entry in record):
        return tuple(restored(entry, trouble) for entry in record)
    if is_function(record):
        raise ValueError(f"{trouble} a function, of which it holds no more than the name or the numbers")
    if not isinstance(record, dict):
        return None if record is None else as_float(record)
    kind = next((kind for kind in _known() if kind.__qualname__ == record["class"]), None)
    if kind is None:
        raise ValueError(f"{trouble} a {record['class']}, not known here")
    # Not by its constructor: the record holds fields, not arguments.
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        value = record[field.name]
        object.__setattr__(made, field.name, value if field.metadata.get("static") else restored(value, trouble))
    return made


def _known() -> list[Any]:
    """The classes of parameters, and those that anyone has added to them."""
    open_types = (AbstractBath, AbstractPotential, AbstractCycle, AbstractSchedule)
    return [Oscillator, PhaseGrid, *(kind for base in open_types for kind in _subclasses(base))]


def _subclasses(kind: Any) -> list[Any]:
    own = kind.__subclasses__()
    return own + [further for one in own for further in _subclasses(one)]

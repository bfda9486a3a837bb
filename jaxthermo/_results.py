"""What every result has in common: arrays by name, a status, a repr in words, and a labelled dataset.

A result is a final `equinox.Module`. Its arrays are declared with `quantity`, which carries unit, meaning and axes, so
that printing and labelling need no table of their own.
"""

import dataclasses
import html
import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, dataclass_transform

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Int

from jaxthermo._sparkline import sparkline
from jaxthermo._status import Code, Status, coded, flags, words as spelled
from jaxthermo._types import IntLike, PathLike, ScalarLike, Stats
from jaxthermo.checks import is_known, postpone_status

if TYPE_CHECKING:
    import xarray


# Rows of up to so many numbers are printed whole.
FEW = 4


class Quantity(NamedTuple):
    """How an array of a result is labelled: its unit, its meaning, its axes, where it is shown, its codes in words."""

    units: str
    long_name: str
    dims: tuple[str, ...]
    main: bool
    coordinate: bool
    codes: type[Code] | None = None


def quantity(
    units: str,
    long_name: str,
    dims: tuple[str, ...] = (),
    *,
    main: bool = False,
    coordinate: bool = False,
    codes: type[Code] | None = None,
    default: object = dataclasses.MISSING,
) -> Any:
    """A field of a result with its label.

    main          whether it is printed
    coordinate    whether it labels the axis of its name
    codes         the enumeration whose integers it holds
    default       for a field that some results are without: None
    """
    label = Quantity(units, long_name, dims, main, coordinate, codes)
    if default is dataclasses.MISSING:
        return eqx.field(metadata={"quantity": label})
    return eqx.field(metadata={"quantity": label}, default=default)


def status_over(*dims: str) -> Any:
    """The field `status` of a result that has one status for each point of its own axes."""
    return quantity("1", "how it ended", dims)


def quantities(result: "AbstractResult") -> dict[str, Quantity]:
    """The labelled arrays of a result that it holds, by name."""
    found = {field.name: field.metadata["quantity"] for field in dataclasses.fields(result) if _labelled(field)}
    return {name: label for name, label in found.items() if getattr(result, name) is not None}


def _labelled(field: dataclasses.Field[object]) -> bool:
    return "quantity" in field.metadata


@dataclass_transform(field_specifiers=(eqx.field, quantity, status_over))
class AbstractResult(eqx.Module):
    """A result: arrays by name, `status`, `stats` (what it cost), and the parameters that made it.

    `status` holds members of `jt.Status`; `ok` says where it is `Status.ok`.
    """

    status: eqx.AbstractVar[Int[Array, "*batch"]]
    stats: eqx.AbstractVar[Stats]

    @property
    def ok(self) -> Bool[Array, "*batch"] | Bool[np.ndarray, "*batch"]:
        """Where the result keeps what its function promises."""
        return self.status == int(Status.ok)

    @property
    def outcome(self) -> str | np.ndarray:
        """The status in words; an array of words for a batch."""
        return spelled(self.status)

    def parameters(self) -> dict[str, object]:
        """What a reader needs to run it again: every field that is neither a labelled array nor bookkeeping."""
        own = [field.name for field in dataclasses.fields(self) if not _labelled(field)]
        return {name: getattr(self, name) for name in own if name not in ("status", "stats")}

    def _found(self) -> list[tuple[str, str]]:
        """What is printed after the labelled arrays, as pairs of words: the parameters that a search was for."""
        return []

    def to_dataset(self) -> "xarray.Dataset":
        """The result as an `xarray.Dataset` with units, long names, status and provenance.

        Axes that vmap has added in front are called lane_0, lane_1, ...
        Raises     ValueError inside a jax transformation
        """
        if not is_known(jax.tree.leaves(eqx.filter(self, eqx.is_array))):
            raise ValueError("`to_dataset` needs known values: call it outside jit, vmap and grad")
        return _dataset(self)

    def save(self, path: PathLike) -> None:
        """`to_dataset` as a netCDF file, which xarray and every other reader of netCDF 3 opens."""
        self.to_dataset().to_netcdf(path, engine="scipy")

    def __repr__(self) -> str:
        return "\n".join([type(self).__name__, *(f"  {name:<{WIDTH}} {value}" for name, value in _lines(self))])

    def _repr_html_(self) -> str:
        lines = [(html.escape(name), html.escape(text), _drawn(self, name)) for name, text in _lines(self)]
        rows = "".join(f"<tr><th>{name}</th><td>{text} {line}</td></tr>" for name, text, line in lines)
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>{self._picture()}"

    def _picture(self) -> str:
        """What a notebook shows below the table, as SVG."""
        return ""


WIDTH = 24


def _lines(result: AbstractResult) -> list[tuple[str, str]]:
    """Outcome, main numbers with units, sizes of the arrays, and cost, as pairs of words."""
    if not is_known(jax.tree.leaves(eqx.filter(result, eqx.is_array))):
        return [("traced", "values are known outside jax transformations only")]
    lines = [("status", _outcomes(result.status))]
    for name, label in quantities(result).items():
        if name == "status":
            continue
        values = np.asarray(getattr(result, name))
        if label.main or values.ndim == 0:
            unit = "" if label.units == "1" else f" {label.units}"
            said = _short(values) if label.codes is None else _worded(values, label)
            lines.append((name, f"{said}{unit}  ({label.long_name})"))
    lines += result._found()
    lines += [(name, _short(np.asarray(value))) for name, value in result.stats.items()]
    return lines


def _drawn(result: AbstractResult, name: str) -> str:
    """A printed series as a small line over its axis; nothing for what is no series."""
    label = quantities(result).get(name)
    if label is None or label.codes is not None or len(label.dims) != 1:
        return ""
    along, values = getattr(result, label.dims[0], None), np.asarray(getattr(result, name))
    x = np.arange(values.size) if along is None else np.asarray(along)
    return sparkline(x, values) if np.isrealobj(values) else ""


def _outcomes(status: IntLike) -> str:
    codes = np.asarray(status)
    if codes.ndim == 0:
        member = Status(int(codes))
        return member.word if member is Status.ok else f"{member.word}: {member.message}"
    return _counted(codes, Status)


def _worded(codes: np.ndarray, label: Quantity) -> str:
    """Words of codes: one after another where they label an axis, else how often each."""
    assert label.codes is not None
    if not label.coordinate:
        return _counted(codes, label.codes)
    # All lanes of a batch have the same axis.
    return ", ".join(label.codes(int(code)).word for code in codes.reshape(-1, codes.shape[-1])[0])


def _counted(codes: np.ndarray, members: type[Code]) -> str:
    """The word of a code, or of many how often each."""
    if codes.ndim == 0:
        return members(int(codes)).word
    counts = {member.word: int(np.sum(codes == member)) for member in members}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _short(values: np.ndarray) -> str:
    if np.issubdtype(values.dtype, np.floating):
        values = values + 0.0  # no -0
    if values.ndim == 0:
        return f"{values.item():.8g}" if np.issubdtype(values.dtype, np.floating) else str(values.item())
    if values.size == 0:
        return f"empty, shape {values.shape}"
    if values.size <= FEW and values.ndim == 1 and np.issubdtype(values.dtype, np.number):
        return ", ".join(f"{value:.6g}" for value in values)
    return f"{np.nanmin(values):.6g} .. {np.nanmax(values):.6g}, shape {values.shape}"


def _dataset(result: AbstractResult) -> "xarray.Dataset":
    import xarray

    from jaxthermo.provenance import provenance

    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    labels = quantities(result)
    for name, label in labels.items():
        if name == "status":
            continue
        values = np.asarray(getattr(result, name))
        dims = (*(f"lane_{i}" for i in range(values.ndim - len(label.dims))), *label.dims)
        words = {} if label.codes is None else coded(label.codes.words())
        entry = (dims, values, {"units": label.units, "long_name": label.long_name, **words})
        is_axis = label.coordinate and values.ndim == 1
        (coords if is_axis else variables)[name] = entry
    attrs: dict[str, Any] = {name: np.asarray(value).item() for name, value in result.stats.items() if _single(value)}
    status = np.asarray(result.status)
    if status.ndim == 0:
        attrs["status"] = spelled(status)
    else:
        own = labels["status"].dims if "status" in labels else ()
        lanes = (*(f"lane_{i}" for i in range(status.ndim - len(own))), *own)
        variables["status"] = (lanes, status, {"units": "1", "long_name": "how it ended", **flags()})
    return xarray.Dataset(variables, coords=coords, attrs={**attrs, **provenance(result.parameters())})


def _single(value: ArrayLike | ScalarLike) -> bool:
    return np.ndim(value) == 0


def warn_unless_ok(result: AbstractResult) -> None:
    """One Python warning where an eager result misses its promise, with the words of its status.

    A scan hears the status of a traced one.
    """
    if not is_known(result.status):
        postpone_status(result.status)
        return
    codes = np.unique(np.asarray(result.status))
    for code in codes[codes != int(Status.ok)]:
        member = Status(int(code))
        warn(f"{type(result).__name__}: {member.word}. {member.message}")


def warn(text: str) -> None:
    """A `JaxthermoWarning` at the line that called the library."""
    warnings.warn(text, JaxthermoWarning, stacklevel=_level_outside(sys._getframe()))


# Whose lines are not the caller's.
LIBRARIES = {"jaxthermo", "jax", "equinox", "jaxtyping", "beartype"}


def _level_outside(frame: FrameType) -> int:
    """The `stacklevel` by which a warning, given in this frame, points at the first line outside the library.

    That is the user's, however many verbs lie between, and whether it calls the library or is called by it.
    `skip_file_prefixes` does the same from Python 3.12 on.
    """
    level = 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] in LIBRARIES:
        frame, level = frame.f_back, level + 1
    return level


class JaxthermoWarning(UserWarning):
    """A result that is not ok."""

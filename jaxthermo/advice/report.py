"""`jt.audit`: the status, the precision, and what each kind of result is checked for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np

from jaxthermo._results import AbstractResult, quantities
from jaxthermo._status import Status
from jaxthermo.advice.findings import Audit, Finding, findings_of, lanes
from jaxthermo.checks import is_known

if TYPE_CHECKING:
    import xarray


def audit(result: "AbstractResult | xarray.Dataset") -> Audit:
    """What may be wrong with a result, in plain words, and what to change.

    It looks at the status and the precision of every result, and at what its own kind has: rim and resolution of the
    phase grid, the levels and the poles of the hierarchy, a temperature that is faster than the bath, both laws of
    thermodynamics, the Maxwell defect, other attractors, basins that were not reached, bounds that a search leaves
    open, errors of sampling.

    result     any result of the library, also a batch made by vmap, or the dataset of `jt.scan`. Some results are
               compared with a further calculation, which takes about as long as a second call of their function
    Returns    an `Audit`, which prints itself; `findings` is empty where nothing was found. That is no proof
    Raises     TypeError for what is neither; ValueError inside a jax transformation

    Example
        >>> import jax
        >>> import jaxthermo as jt
        >>> jax.config.update("jax_enable_x64", True)
        >>> print(jt.audit(jt.potts.stationary(jt.PottsRing(3, coupling=-1.0, force=1.0), beta=2.0)))
        Stationary: nothing found
    """
    if isinstance(result, AbstractResult):
        if not is_known(jax.tree.leaves(eqx.filter(result, eqx.is_array))):
            raise ValueError("`result` must have known values: call `jt.audit` outside jit, vmap and grad")
        status = np.asarray(result.status)
        found = [*_endings(status), *_precision(result), *findings_of(result)]
        return Audit(type(result).__name__, tuple(found))
    if hasattr(result, "data_vars"):
        return _of_dataset(result)
    raise TypeError(f"`result` must be a result of the library or a dataset, but is a {type(result).__name__}")


def _endings(status: np.ndarray) -> Iterator[Finding]:
    """Each way of ending that is not ok."""
    for member in Status:
        met = status == int(member)
        if member is not Status.ok and np.any(met):
            seen, help_ = member.message.rstrip(".").partition("; ")[::2]
            change = f"{help_[:1].upper()}{help_[1:]}." if help_ else "See docs/sharp_bits.md."
            yield Finding("status", f"It ended with {member.word!r}{lanes(met)}. {seen}.", change)


def _precision(result: AbstractResult) -> Iterator[Finding]:
    types = {np.asarray(getattr(result, name)).dtype for name in quantities(result)}
    if np.dtype(np.float32) in types or np.dtype(np.complex64) in types:
        yield Finding(
            "precision",
            "The arrays are in single precision, about 7 digits.",
            'Put jax.config.update("jax_enable_x64", True) before the first calculation.',
        )


def _of_dataset(dataset: "xarray.Dataset") -> Audit:
    """Lanes that did not end well, and along which axes they lie."""
    if "status" not in dataset:
        word = str(dataset.attrs.get("status", Status.ok.word))
        member = next(one for one in Status if one.word == word)
        return Audit("dataset", tuple(_endings(np.asarray(int(member)))))
    status = np.asarray(dataset["status"].values)
    found = list(_endings(status))
    pending = status < 0
    if np.any(pending):
        what = f"{int(pending.sum())} of {status.size} lanes have not been computed."
        found.append(Finding("pending", what, "Call the same `jt.scan` with the same store again."))
    failed = (status != int(Status.ok)) & ~pending
    if np.any(failed) and not np.all(failed):
        found.append(Finding("where", _extent(dataset, failed), "Scan that part alone, with finer settings."))
    return Audit("dataset", tuple(found))


def _extent(dataset: "xarray.Dataset", failed: np.ndarray) -> str:
    """Between which values of its axes the failed lanes lie."""
    parts = []
    for dim, places in zip(dataset["status"].dims, np.nonzero(failed), strict=True):
        if dim in dataset.coords:
            values = np.asarray(dataset[dim].values)[places]
            parts.append(f"{values.min():.4g} <= {dim} <= {values.max():.4g}")
    return f"The lanes that are not ok have {', '.join(parts)}."

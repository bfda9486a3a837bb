"""How each lane of a scan ended, as integer codes."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxthermo.solve.integrate import MAX_STEPS as SOLVE_MAX_STEPS
from jaxthermo.solve.integrate import OK as SOLVE_OK

STATUS = ("ok", "not finite", "max steps", "not converged", "invalid input")
OK, NOT_FINITE, MAX_STEPS, NOT_CONVERGED, INVALID = range(len(STATUS))
# In a store that is not complete: the lane has not been computed yet.
PENDING = -1


class Outcome(eqx.Module):
    """How one lane ended: an index into `STATUS`, and the steps it took, where they are counted.

    A result with a property `outcome` that makes one tells a scan by itself what its codes and NaNs mean.
    """

    status: Int[Array, ""]
    steps: Int[Array, ""] | None = None


def outcome_of(ended_well: Any, out_of_steps: Any, finite: Any, steps: Any = None) -> Outcome:
    """The outcome of a search that counts its steps: what stopped it is named before what it left behind."""
    lost = jnp.where(finite, NOT_CONVERGED, NOT_FINITE)
    status = jnp.where(ended_well, jnp.where(finite, OK, NOT_FINITE), jnp.where(out_of_steps, MAX_STEPS, lost))
    return Outcome(status.astype(jnp.int32), steps)


def judged(solve_status: Any, converged: Any, finite: Bool[Array, ""]) -> Int[Array, ""]:
    """The code of a lane from what its function returned beside its values; None where it returned no such thing.

    `solve_status` is that of the library's solves (`jaxthermo.solve.integrate.STATUS`).
    """
    well = jnp.asarray(True)
    out_of_steps = jnp.asarray(False)
    if solve_status is not None:
        well, out_of_steps = solve_status == SOLVE_OK, solve_status == SOLVE_MAX_STEPS
    if converged is not None:
        well = well & converged
    return outcome_of(well, out_of_steps, finite).status

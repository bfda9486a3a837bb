"""How each lane of a scan ended, as integer codes."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxthermo._status import Status

# What a result of the library says of itself keeps its words.
OWN_WORDS = (
    Status.grid_too_small,
    Status.grid_too_coarse,
    Status.hierarchy_too_shallow,
    Status.time_step_too_long,
    Status.first_law_violated,
    Status.second_law_violated,
)
STATUS = ("ok", "not finite", "max steps", "not converged", "invalid input", *(member.word for member in OWN_WORDS))
OK, NOT_FINITE, MAX_STEPS, NOT_CONVERGED, INVALID = range(5)
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


def code_of(status: Any) -> Int[Array, "..."]:
    """The index into `STATUS` of members of `jt.Status`; those without words of their own are "not converged"."""
    table = np.full(len(Status), NOT_CONVERGED, np.int32)
    table[Status.ok], table[Status.not_finite], table[Status.max_steps_reached] = OK, NOT_FINITE, MAX_STEPS
    table[np.array(OWN_WORDS)] = np.arange(INVALID + 1, len(STATUS))
    return jnp.asarray(table)[jnp.asarray(status, jnp.int32)]


def judged(solve_status: Any, converged: Any, finite: Bool[Array, ""]) -> Int[Array, ""]:
    """The code of a lane from what its function returned beside its values; None where it returned no such thing.

    `solve_status` holds members of `jt.Status`, of which `jaxthermo.solve.integrate.STATUS` has the first ones.
    """
    own = jnp.asarray(OK, jnp.int32) if solve_status is None else code_of(solve_status)
    well = own == OK
    if converged is not None:
        well = well & converged
    found = outcome_of(well, own == MAX_STEPS, finite).status
    return jnp.where((own > INVALID) & finite, own, found)

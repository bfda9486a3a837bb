"""The one door to diffrax for small, non-stiff systems."""

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxthermo._status import Status
from jaxthermo._types import Real
from jaxthermo.solve.checks_off import without_checks

VectorField = Callable[[Any, Any, Any], Any]

OK, OUT_OF_STEPS, FAILED = int(Status.ok), int(Status.max_steps_reached), int(Status.solver_failed)


def integrate(
    field: VectorField,
    state: PyTree,
    args: PyTree,
    *,
    t0: Real,
    t1: Real,
    saveat: diffrax.SaveAt,
    rtol: float,
    atol: float,
    max_steps: int,
    dt0: Real | None = None,
    solver: diffrax.AbstractSolver | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> diffrax.Solution:
    """Adaptive integration of dy/dt = field(t, y, args) that reports trouble in its result instead of raising.

    Without `dt0` diffrax chooses the first step. The default solver is Dopri8 (order 8, for tight tolerances). The
    default adjoint is forward mode; pass `diffrax.RecursiveCheckpointAdjoint()` to differentiate in reverse.
    """
    # Weak types would be promoted differently by diffrax's own arithmetic under strict promotion.
    with jax.numpy_dtype_promotion("standard"):
        return without_checks(diffrax.diffeqsolve)(
            diffrax.ODETerm(field),
            diffrax.Dopri8() if solver is None else solver,
            t0=t0,
            t1=t1,
            dt0=dt0,
            y0=state,
            args=args,
            saveat=saveat,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            max_steps=max_steps,
            throw=False,
            adjoint=diffrax.ForwardMode() if adjoint is None else adjoint,
        )


def status_of(solution: diffrax.Solution) -> Int[Array, ""]:
    """The member of `jt.Status` for one solve."""
    ok = solution.result == diffrax.RESULTS.successful
    out_of_steps = solution.result == diffrax.RESULTS.max_steps_reached
    trouble = jnp.where(out_of_steps, int(Status.max_steps_reached), int(Status.solver_failed))
    return jnp.where(ok, int(Status.ok), trouble).astype(jnp.int32)


def unreached_as_nan(values: Float[Array, "..."]) -> Float[Array, "..."]:
    """diffrax fills what it did not reach with inf; NaN is the labelled-data convention for missing."""
    return jnp.where(jnp.isinf(values), jnp.nan, values)

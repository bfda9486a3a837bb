"""How the work of a classical oscillator fluctuates from one run to the next."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, Stats, VectorLike
from jaxthermo.brownian.driven.engine import first_count
from jaxthermo.brownian.driven.runs import DrivenRun, PeriodicRun
from jaxthermo.brownian.driven.work_counting import Counted, Counting, count_work
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.brownian.steps.propagation import Drive, Protocol
from jaxthermo.checks import as_float, is_known, require_double_for, require_finite, require_integer
from jaxthermo.solve.lean import lean_jit
from jaxthermo.solve.progress import Line

TOLERANCE = 1e-5
# How often four times as many steps are taken.
REFINED = 4
# Where shorter steps leave more than this of an error, it comes from the grid.
WORTH_IT = 0.25
# Largest share of the peak of a weighted density on the rim of the grid. Measured on ramps of a quartic well: ln
# <exp(-beta w)> is off by 0.2 to 4 times that.
RIM = 2e-5


class WorkFluctuations(AbstractResult):
    """The distribution of the work w of single runs, by its cumulants since the first time; made by
    `jt.work_fluctuations`.

    Over several cycles `time` goes on, and the last of `added_variance` tends to the growth per cycle of long runs.
    """

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    tol: Float[Array, "*batch"]
    time: Float[Array, "*batch times"] = quantity("time", "time", ("time",), coordinate=True)
    counting: Float[Array, "*batch counting"] = quantity(
        "1/energy", "counting field kappa", ("counting",), coordinate=True
    )
    mean: Float[Array, "*batch times"] = quantity(
        "energy", "<w>, the mean work done on the oscillator", ("time",), main=True
    )
    variance: Float[Array, "*batch times"] = quantity("energy^2", "<(w - <w>)^2>", ("time",), main=True)
    third_cumulant: Float[Array, "*batch times"] = quantity("energy^3", "<(w - <w>)^3>", ("time",), main=True)
    generating: Float[Array, "*batch times counting"] = quantity(
        "1", "ln <exp(-kappa w)>, the generating function of the cumulants", ("time", "counting")
    )
    added_variance: Float[Array, "*batch turn"] = quantity("energy^2", "variance that each turn has added", ("turn",))
    step_error: Float[Array, "*batch"] = quantity(
        "1", "largest estimated error from the time step, in units of the standard deviation of w and of 1"
    )
    rim: Float[Array, "*batch"] = quantity("1", "largest weighted density on the rim of the grid over its peak")


def work_fluctuations(
    run: DrivenRun | PeriodicRun,
    counting: VectorLike = (),
    cycles: IntLike = 1,
    *,
    tol: float = TOLERANCE,
    steps: IntLike | None = None,
    progress: bool | None = None,
) -> WorkFluctuations:
    """Mean, variance, third cumulant and generating function of the work of single classical runs.

    Equation   w = -int X(q(t)) dx along a trajectory. The densities f_j = W <(w - <w>)^j | q, p> obey d f_j/dt = L f_j
               - j (X - <X>) x' f_(j-1), and that of exp(-kappa w) is multiplied by exp(kappa X dx) at each step of x,
               with L the Kramers operator

    run        of `jt.run_cycle`, or of `jt.drive` with `keep_states=True`, of a classical oscillator; its first state
               is where all trajectories begin. Its `status` goes on to the result
    counting   fields kappa, (fields,), 1/energy. At constant beta, from equilibrium, kappa = beta has <exp(-beta w)> =
               exp(-beta (F_end - F_start)) (Jarzynski)
    cycles     how often the cycle is gone through; 1 for a drive. Variances of cycles that follow each other do not
               simply add, since their work is correlated
    tol        of mean and cumulants, in units of the largest standard deviation of w, and of the generating function
    steps      to each saved time, and in two more runs twice and four times as many; None: four times as many until
               `tol` is met or nothing is gained, at most 4 times; under a transformation as many as the run took, once
    progress   whether a line tells how far it is; None: on a terminal
    Returns    a `WorkFluctuations`
    Raises     ValueError that names the argument: a quantum oscillator, whose work is no function of a trajectory;
               several baths, whose switching takes work as well; a run without its states; a drive gone through twice
    Accuracy   1e-4 in the mean and the cumulants, in units of the standard deviation of w, and in the generating
               function, where `status` is ok: where the run was, `tol` is met, and the grid holds what is counted
               (`rim`); else a `JaxthermoWarning` is raised, unless jax traces. A large kappa shifts weight to rare
               trajectories, for which the grid must have room
    Source     two-time counting as in Imparato & Peliti, Phys. Rev. E 72, 046114 (2005); Jarzynski, Phys. Rev. Lett.
               78, 2690 (1997)

    Derivatives in either mode, at constant times and steps.

    Example
        >>> import jax.numpy as jnp
        >>> import jaxthermo as jt
        >>> spring = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> times = jnp.linspace(0.0, 2.0, 5)
        >>> run = jt.drive(spring, 1.0, jt.Ramp(0.0, 1.0, 0.0, 2.0), times, keep_states=True)
        >>> seen = jt.work_fluctuations(run, counting=[1.0])
        >>> round(float(seen.mean[-1]), 4), round(float(seen.variance[-1]), 4)  # Gaussian: dF = mean - beta variance/2
        (-0.1048, 0.7904)
        >>> round(float(seen.generating[-1, 0]), 4)  # -beta dF = 1/2
        0.5
    """
    oscillator, V, protocol = _begun(run)
    turns = require_integer("cycles", cycles, 1)
    if turns > 1 and not isinstance(run, PeriodicRun):
        raise ValueError(f"`cycles` must be 1 for a run of jt.drive, but is {turns}")
    require_double_for(tol, tol, "tol")
    require_finite("counting", counting)
    fields = as_float(counting)
    if fields.ndim != 1:
        raise ValueError(f"`counting` must have one axis, but has the shape {fields.shape}")
    wanted = Counting(Drive(oscillator, protocol, run.time), V, fields, turns)
    known = is_known(jax.tree.leaves(wanted))
    first = first_count(oscillator, run.time)
    if steps is not None:
        first = jnp.asarray(require_integer("steps", steps, 1), jnp.int32)
    elif isinstance(run, PeriodicRun) and not known:
        first = jnp.asarray(run.stats["steps_per_piece"], jnp.int32)
    with Line("work_fluctuations", progress) as line:
        result = _described(wanted, first, run.status, as_float(tol))
        for _ in range(REFINED if known and steps is None else 0):
            if int(result.status) != Status.time_step_too_long:
                break
            first = 4 * first
            line.tell(f"{4 * int(first)} steps to each time")
            before, result = result, _described(wanted, first, run.status, as_float(tol))
            if not float(result.step_error) < WORTH_IT * float(before.step_error):
                break
    warn_unless_ok(result)
    return result


def _begun(run: Any) -> tuple[Oscillator, Array, Protocol]:
    """What runs, the members at its first time, and the schedules; ValueError unless its work can be counted."""
    if not isinstance(run, DrivenRun | PeriodicRun):
        raise ValueError(f"`run` must come from jt.drive or jt.run_cycle, but is {type(run).__name__}")
    oscillator = run.oscillator
    if oscillator.quantum:
        raise ValueError("`run` must be of a jt.classical_oscillator: the work of a quantum one has no trajectory")
    if oscillator.ledger is not None:
        raise ValueError("`run` must be of one bath: switching several takes work that is not counted here")
    if run.time.ndim != 1:
        raise ValueError(f"`run` must be one run, but is a batch of shape {run.time.shape[:-1]}; use jax.vmap")
    if isinstance(run, PeriodicRun):
        return oscillator, run.V, Protocol(run.cycle.beta, run.cycle.x)
    if run.members is None:
        raise ValueError("`run` must have kept its states: call jt.drive with keep_states=True")
    return oscillator, run.members[0], run.protocol


@lean_jit
def _described(
    wanted: Counting, steps: Int[Array, ""], status: Int[Array, ""], tol: Float[Array, ""]
) -> WorkFluctuations:
    counted, errors = count_work(wanted, steps)
    variance = counted.moments[:, 1]
    step_error = _step_error(errors, variance)
    # NaN counts as missed.
    finite = jnp.all(jnp.isfinite(variance)) & jnp.all(jnp.isfinite(counted.generating))
    times, period = wanted.drive.times, wanted.drive.times[-1] - wanted.drive.times[0]
    later = [times[1:] + turn * period for turn in range(1, wanted.turns)]
    ends = variance[np.arange(wanted.turns + 1) * (len(times) - 1)]
    return WorkFluctuations(
        status=first_problem(
            status,
            status_if(~finite, Status.solver_failed),
            status_if(~(jnp.max(counted.rim) < RIM), Status.grid_too_small),
            status_if(~(step_error <= tol), Status.time_step_too_long),
        ),
        stats={"steps_per_piece": 4 * steps},
        oscillator=wanted.drive.oscillator,
        tol=tol,
        time=jnp.concatenate([times, *later]),
        counting=wanted.fields,
        mean=counted.mean,
        variance=variance,
        third_cumulant=counted.moments[:, 2],
        generating=counted.generating - counted.mean[:, None] * wanted.fields[None],
        added_variance=jnp.diff(ends),
        step_error=step_error,
        rim=jnp.max(counted.rim),
    )


def _step_error(errors: Counted, variance: Float[Array, " times"]) -> Float[Array, ""]:
    """Errors of the mean and of the moments in powers of the largest standard deviation, and of the logarithms."""
    square = jnp.max(variance)
    moved = square > 0.0
    width = jnp.sqrt(jnp.where(moved, square, 1.0))
    shares = errors.moments / (width ** jnp.arange(1.0, errors.moments.shape[1] + 1.0))[None]
    worst = jnp.maximum(jnp.max(errors.mean) / width, jnp.max(shares))
    return jnp.maximum(jnp.where(moved, worst, 0.0), jnp.max(errors.generating, initial=0.0))

"""Approximate trajectories in steps of equal time, for as many units as one likes."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxthermo.checks import as_float, require_double_for, require_integer, require_positive, require_scalar
from jaxthermo.flags import coded
from jaxthermo.jumps.finite.hops import hop_rates, moment
from jaxthermo.jumps.finite.labels import finite_dataset
from jaxthermo.jumps.finite.random import require_key
from jaxthermo.jumps.finite.schedules import require_schedules
from jaxthermo.jumps.finite.space import require_ring_edges
from jaxthermo.jumps.finite.trajectories import OK, ledger, require_trajectories, start_counts, trajectory_variables
from jaxthermo.jumps.network import AbstractJumpModel, JumpNetwork, checked

if TYPE_CHECKING:
    import xarray

# Steps of the coarser of the two runs, if none is given.
STEPS = 256
STATUS = ("ok", "leaps too long")


class Leaps(eqx.Module):
    """Where leaping trajectories end, (q, lanes) and (lanes,); heat is that of all units.

    `cut` says where more units would have left a state than were there.
    """

    counts: Float[Array, "q lanes"]
    heat: Float[Array, " lanes"]
    beta_heat: Float[Array, " lanes"]
    cut: Bool[Array, " lanes"]


def tau_leap(
    network: AbstractJumpModel,
    beta: Any,
    units: Any,
    t_end: Any,
    trajectories: Any,
    key: Any,
    n0: Any = None,
    *,
    coupling: Any = None,
    steps: Any = STEPS,
) -> "xarray.Dataset":
    """Trajectories of N units on a ring by leaps, with an estimate of their bias; see `simulate` for what is measured.

    Equation   in a leap of length h at rates V+-: Binomial(N_i, (V+_i + V-_{i-1}) h N*_i/N_i) units leave state i, and
               Binomial of these go forward; rates and N* are those half a leap ahead on the mean-field path (midpoint)
    Shapes     steps: leaps of the coarse run; the fine run makes twice as many, and is the one returned
    Units      as `simulate`
    Raises     ValueError that names the argument; without double precision
    Source     Tian & Burrage, J. Chem. Phys. 121, 10356 (2004), and Chatterjee, Vlachos & Katsoulakis, J. Chem. Phys.
               122, 024112 (2005) for binomial leaps, which never take more units than there are

    A unit hops at most once in a leap, so leaps must be short against 1/V; a share above 1 is taken as 1, and the
    `status` is "leaps too long" where the fine run did so. `work_bias` and its kin are coarse mean less fine mean,
    `*_bias_error` their standard error, from independent random numbers. For many units the bias falls like h^2, and
    that of the fine run is a third of the difference; noise has an error of order h.
    """
    model = network
    network, _ = checked(model, beta)
    require_ring_edges(network)
    require_double_for(1e-12, 1e-12)
    units = require_integer("units", units, 1)
    count = require_trajectories(network.q, trajectories)
    steps = require_integer("steps", steps, 1)
    t_end = require_scalar("t_end", t_end)
    require_positive("t_end", t_end)
    key = require_key(key)
    beta = require_schedules(model, beta, coupling, 0.0, t_end)
    draw, *seeds = jax.random.split(key, 3)
    first = start_counts(network, beta, coupling, units, count, draw, n0)
    ends = tuple(moment(network, beta, t, coupling) for t in (jnp.zeros(()), t_end))
    status = np.full(count, OK)
    runs = []
    for seed, number in zip(seeds, (steps, 2 * steps), strict=True):
        done = leaps(network, beta, coupling, units, t_end, jnp.asarray(number), as_float(first.T), seed)
        runs.append((done, ledger(ends, first.T, done.counts, done.heat[:, None], done.beta_heat, status)))
    (_, coarse), (fine, totals) = runs
    variables = trajectory_variables(totals, units * float(t_end), first, fine.counts.T)
    for name in ("work", "heat", "entropy_production"):
        pair = [one[name] / (units * float(t_end)) for one in (coarse, totals)]
        error = np.sqrt(sum(np.var(one, ddof=1) for one in pair) / count) if count > 1 else np.nan
        unit = variables[name][2]
        variables[f"{name}_bias"] = ((), pair[0].mean() - pair[1].mean(), unit, f"coarse less fine mean of {name}")
        variables[f"{name}_bias_error"] = ((), error, unit, "standard error of that difference")
    variables["status"] = ("trajectory", np.asarray(fine.cut, np.int32), "1", "whether leaps were short enough")
    coords = {"state": ("state", np.arange(1, network.q + 1), "1", "state of a unit")}
    words = STATUS[int(np.max(fine.cut))]
    attrs = {"t_end": float(t_end), "method": "binomial leaps", "step": float(t_end) / (2 * steps), "status": words}
    dataset = finite_dataset(variables, coords, model, beta, units, **attrs)
    dataset["status"].attrs |= coded(STATUS)
    return dataset


@eqx.filter_jit
def leaps(
    network: JumpNetwork,
    beta: Any,
    coupling: Any,
    units: int,
    t_end: Any,
    steps: Any,
    counts: Float[Array, "q lanes"],
    key: Any,
) -> Leaps:
    """`steps` leaps of equal length from the counts, all trajectories abreast."""
    h = t_end / steps.astype(counts.dtype)

    def rates(t: Any, n: Array) -> tuple[Any, Array, Array]:
        now = moment(network, beta, t, coupling)
        forward, backward, _, _ = hop_rates(now, n, units)
        # Of one unit that may leave: from state i forward on bond i, from state i+1 backward on it.
        some = jnp.maximum(n, 1e-300)
        return now, forward / some, jnp.roll(backward, 1, axis=0) / some

    def leap(k: Any, state: Leaps) -> Leaps:
        t, n = k.astype(counts.dtype) * h, state.counts
        _, up, down = rates(t, n)
        half = 0.5 * h * (jnp.roll(up * n, 1, axis=0) + jnp.roll(down * n, -1, axis=0) - (up + down) * n)
        ahead = jnp.maximum(n + half, 0.0)
        now, up, down = rates(t + 0.5 * h, ahead)
        first, second = jax.random.split(jax.random.fold_in(key, k))
        share = (up + down) * ahead * h / jnp.maximum(n, 1.0)
        leaving = jax.random.binomial(first, n, jnp.minimum(jnp.nan_to_num(share, nan=1.0), 1.0))
        part = jnp.nan_to_num(up / jnp.maximum(up + down, 1e-300), nan=1.0)
        forward = jax.random.binomial(second, leaving, part)
        backward = leaving - forward
        after = n - leaving + jnp.roll(forward, 1, axis=0) + jnp.roll(backward, -1, axis=0)
        net = jnp.sum(forward - backward, axis=0)
        heat = now.energy(after) - now.energy(n) - now.force * net
        # Not a number, from rates that are none, counts as too many.
        cut = state.cut | jnp.any((n > 0) & ~(share <= 1.0), axis=0)
        return Leaps(after, state.heat + heat, state.beta_heat + now.beta * heat, cut)

    zero = jnp.zeros_like(counts[0])
    return jax.lax.fori_loop(0, steps, leap, Leaps(counts, zero, zero, zero > 0))

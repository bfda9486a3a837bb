"""Approximate trajectories in steps of equal time, for as many units as one likes."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.checks import as_float, require_double_for, require_integer, require_positive, require_scalar
from jaxthermo.potts.finite.hops import hop_rates, moment
from jaxthermo.potts.finite.labels import finite_dataset
from jaxthermo.potts.finite.random import require_key
from jaxthermo.potts.finite.simulate import OK, ledger, start_counts, trajectory_variables
from jaxthermo.potts.ring import PottsRing, check_ring, require_beta
from jaxthermo.protocols.schedule import value_at

if TYPE_CHECKING:
    import xarray

# Steps of the coarser of the two runs, if none is given.
STEPS = 256


class Leaps(eqx.Module):
    """Where leaping trajectories end, (q, lanes) and (lanes,); heat is that of all units."""

    counts: Float[Array, "q lanes"]
    heat: Float[Array, " lanes"]
    beta_heat: Float[Array, " lanes"]


def tau_leap(
    ring: PottsRing,
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
    """Trajectories of N units by leaps, with an estimate of their bias; see `simulate` for what is measured.

    Equation   in a leap of length h at rates V+-: Binomial(N_i, (V+_i + V-_{i-1}) h N*_i/N_i) units leave state i, and
               Binomial of these go forward; rates and N* are those half a leap ahead on the mean-field path (midpoint)
    Shapes     steps: leaps of the coarse run; the fine run makes twice as many, and is the one returned
    Units      as `simulate`
    Raises     ValueError that names the argument; without double precision
    Source     Tian & Burrage, J. Chem. Phys. 121, 10356 (2004), and Chatterjee, Vlachos & Katsoulakis, J. Chem. Phys.
               122, 024112 (2005) for binomial leaps, which never take more units than there are

    A unit hops at most once in a leap, so leaps must be short against 1/V; a share above 1 is taken as 1. `work_bias`
    and its kin are coarse mean less fine mean, `*_bias_error` their standard error, from independent random numbers.
    For many units the bias falls like h^2, and that of the fine run is a third of the difference; noise has an error
    of order h.
    """
    check_ring(ring)
    require_double_for(1e-12, 1e-12)
    units = require_integer("units", units, 1)
    count = require_integer("trajectories", trajectories, 1)
    steps = require_integer("steps", steps, 1)
    t_end = require_scalar("t_end", t_end)
    require_positive("t_end", t_end)
    key = require_key(key)
    beta = beta if callable(beta) else require_scalar("beta", beta)
    require_beta(jax.vmap(lambda t: value_at(beta, t))(jnp.linspace(0.0, t_end, 101)))
    draw, *seeds = jax.random.split(key, 3)
    first = start_counts(ring, beta, coupling, units, count, draw, n0)
    ends = tuple(moment(ring, beta, t, coupling) for t in (jnp.zeros(()), t_end))
    status = np.full(count, OK)
    runs = []
    for seed, number in zip(seeds, (steps, 2 * steps), strict=True):
        done = leaps(ring, beta, coupling, units, t_end, jnp.asarray(number), as_float(first.T), seed)
        runs.append((done, ledger(ends, first.T, done.counts, done.heat, done.beta_heat, status)))
    (_, coarse), (fine, totals) = runs
    variables = trajectory_variables(totals, units * float(t_end), first, fine.counts.T)
    for name in ("work", "heat", "entropy_production"):
        pair = [one[name] / (units * float(t_end)) for one in (coarse, totals)]
        error = np.sqrt(sum(np.var(one, ddof=1) for one in pair) / count) if count > 1 else np.nan
        unit = variables[name][2]
        variables[f"{name}_bias"] = ((), pair[0].mean() - pair[1].mean(), unit, f"coarse less fine mean of {name}")
        variables[f"{name}_bias_error"] = ((), error, unit, "standard error of that difference")
    coords = {"state": ("state", np.arange(1, ring.q + 1), "1", "state of the ring")}
    attrs = {"t_end": float(t_end), "method": "binomial leaps", "step": float(t_end) / (2 * steps), "status": "ok"}
    return finite_dataset(variables, coords, ring, beta, units, **attrs)


@eqx.filter_jit
def leaps(
    ring: PottsRing,
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
        now = moment(ring, beta, t, coupling)
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
        leaving = jax.random.binomial(first, n, jnp.minimum(share, 1.0))
        forward = jax.random.binomial(second, leaving, up / jnp.maximum(up + down, 1e-300))
        backward = leaving - forward
        after = n - leaving + jnp.roll(forward, 1, axis=0) + jnp.roll(backward, -1, axis=0)
        net = jnp.sum(forward - backward, axis=0)
        heat = now.energy(after) - now.energy(n) - now.force * net
        return Leaps(after, state.heat + heat, state.beta_heat + now.beta * heat)

    zero = jnp.zeros_like(counts[0])
    return jax.lax.fori_loop(0, steps, leap, Leaps(counts, zero, zero))

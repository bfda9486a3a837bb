"""How many jumps per second does `jt.potts.simulate` make, against numba and GillesPy2 on the same cores?

All simulate one ring of q = 3 by Gillespie's direct method, from counts spread evenly, with as many trajectories as
make about the wanted number of jumps. The numba peer is a loop over trajectories on numba's threads with two
exponentials per bond, as the library has them, and numba's own random numbers. GillesPy2's C++ solver (`SSACSolver`)
gets the same propensities as expressions of the counts; it writes trajectories to text and reads them back, at the two
ends of time only, and its jumps are not counted but taken from the library's mean. Its run time includes this, but not
the compilation of its model. It runs on one core, so that it is quoted against the library's rate divided by its cores
too.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import jax
import numba
import numpy as np

import jaxthermo as jt
from benchmarks._bench import Timing, time_call

Q, COUPLING, FORCE, PREFACTOR, BETA = 3, -1.0, 1.0, 1.0, 3.5
# Units, trajectories and time: about 4e7 jumps each; GillesPy2 has a share of the trajectories.
CASES = ((30, 8192, 60.0), (300, 2048, 24.0), (3000, 512, 9.6))
QUICK = ((30, 256, 2.0),)
GILLESPY_SHARE = 64
REPEATS = 5
MISSING = "skipped: GillesPy2 is not importable, pip install gillespy2 (with a C++ compiler)"


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows for each number of units; `ratio_to_library` is the library's jumps per second over the row's."""
    return [row for case in (QUICK if quick else CASES) for row in _rows(*case)]


def ring() -> jt.PottsRing:
    """The ring that everybody simulates."""
    return jt.PottsRing(Q, COUPLING, FORCE, PREFACTOR)


def start_of(units: int) -> np.ndarray:
    """Counts spread evenly."""
    return np.full(Q, units // Q)


def library_run(units: int, trajectories: int, t_end: float) -> tuple[np.ndarray, np.ndarray]:
    """Work per unit and time, and jumps, of every trajectory."""
    done = jt.potts.simulate(ring(), BETA, units, t_end, trajectories, jax.random.key(0), start_of(units))
    return done.work.values, done.jumps.values


def numba_run(units: int) -> Callable[[int, float], tuple[np.ndarray, np.ndarray]]:
    """The same by a loop in numba, trajectories over its threads."""
    share, half = COUPLING / units, 0.5 * BETA

    @numba.njit(parallel=True, error_model="numpy")
    def kernel(trajectories, t_end, start, seed):  # type: ignore[no-untyped-def]
        work, jumps = np.empty(trajectories), np.empty(trajectories, np.int64)
        for lane in numba.prange(trajectories):
            np.random.seed(seed + lane)
            n, rates = start.copy(), np.empty(2 * Q)
            t, net, made = 0.0, 0, 0
            while True:
                total = 0.0
                for i in range(Q):
                    j = i + 1 if i + 1 < Q else 0
                    difference = share * (n[j] - n[i])
                    rates[2 * i] = n[i] * PREFACTOR * np.exp(-half * (difference + share - FORCE))
                    rates[2 * i + 1] = n[j] * PREFACTOR * np.exp(half * (difference - share - FORCE))
                    total += rates[2 * i] + rates[2 * i + 1]
                t -= np.log(1.0 - np.random.random()) / total
                if t >= t_end:
                    break
                mark = np.random.random() * total
                k = 0
                mark -= rates[0]
                while mark >= 0.0 and k < 2 * Q - 1:
                    k += 1
                    mark -= rates[k]
                i = k // 2
                j = i + 1 if i + 1 < Q else 0
                along = 1 - 2 * (k % 2)
                n[i] -= along
                n[j] += along
                net += along
                made += 1
            work[lane], jumps[lane] = FORCE * net / (units * t_end), made
        return work, jumps

    return lambda trajectories, t_end: kernel(trajectories, t_end, start_of(units), 1)


def gillespy_run(units: int, t_end: float) -> Callable[[int], np.ndarray]:
    """Final counts by GillesPy2's C++ solver, compiled before it is returned.

    Raises     ModuleNotFoundError without GillesPy2, and what its compiler raises
    """
    import gillespy2

    model = gillespy2.Model(name="ring")
    species = [gillespy2.Species(name=f"N{i}", initial_value=int(n)) for i, n in enumerate(start_of(units))]
    model.add_species(species)
    share, half = repr(COUPLING / units), repr(0.5 * BETA)
    for i in range(Q):
        j = (i + 1) % Q
        up = f"N{i}*{PREFACTOR}*exp(-{half}*({share}*(N{j}-N{i}+1)-{FORCE}))"
        down = f"N{j}*{PREFACTOR}*exp({half}*({share}*(N{j}-N{i}-1)-{FORCE}))"
        for name, source, target, rate in ((f"up{i}", i, j, up), (f"down{i}", j, i, down)):
            model.add_reaction(
                gillespy2.Reaction(
                    name=name,
                    reactants={species[source]: 1},
                    products={species[target]: 1},
                    propensity_function=rate,
                )
            )
    model.timespan(gillespy2.TimeSpan.linspace(t=t_end, num_points=2))
    solver = gillespy2.SSACSolver(model=model)
    solver.run(number_of_trajectories=1, seed=1)

    def many(trajectories: int) -> np.ndarray:
        done = solver.run(number_of_trajectories=trajectories, seed=2)
        return np.array([[one[f"N{i}"][-1] for i in range(Q)] for one in done])

    return many


def _rows(units: int, trajectories: int, t_end: float) -> list[dict[str, Any]]:
    work, jumps = library_run(units, trajectories, t_end)
    jax.clear_caches()
    timing = time_call(lambda: library_run(units, trajectories, t_end)[1], repeats=REPEATS)
    ours = _row("jaxthermo simulate", units, trajectories, t_end, work, int(jumps.sum()), timing, _cores())
    peer = numba_run(units)
    timing = time_call(lambda: peer(trajectories, t_end)[1], repeats=REPEATS)
    work, made = peer(trajectories, t_end)
    rows = [ours, _row("numba prange", units, trajectories, t_end, work, int(made.sum()), timing, _cores())]
    rows.append(_gillespy_row(units, max(trajectories // GILLESPY_SHARE, 1), t_end, float(jumps.mean())))
    for row in rows:
        rate = row["jumps_per_second"]
        row["ratio_to_library"] = ours["jumps_per_second"] / rate if rate else None
    return rows


def _gillespy_row(units: int, trajectories: int, t_end: float, jumps_each: float) -> dict[str, Any]:
    name = "GillesPy2 SSACSolver"
    try:
        begin = time.perf_counter()
        peer = gillespy_run(units, t_end)
        compiled = time.perf_counter() - begin
    except ModuleNotFoundError:
        return {"method": name, "units": units, "status": MISSING, "jumps_per_second": None}
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        peer(trajectories)
        seconds.append(time.perf_counter() - begin)
    timing = Timing(compiled, sorted(seconds)[REPEATS // 2])
    nan = np.full(trajectories, np.nan)
    return _row(name, units, trajectories, t_end, nan, int(jumps_each * trajectories), timing, 1)


def _row(
    method: str,
    units: int,
    trajectories: int,
    t_end: float,
    work: np.ndarray,
    jumps: int,
    timing: Timing,
    cores: int,
) -> dict[str, Any]:
    counted = bool(np.isfinite(work).all())
    return {
        "method": method,
        "units": units,
        "status": "ok",
        "jumps_per_second": jumps / timing.run_seconds,
        "trajectories": trajectories,
        "t_end": t_end,
        "jumps": jumps,
        "work": float(work.mean()) if counted else None,
        "work_error": float(work.std() / len(work) ** 0.5) if counted else None,
        "compile_seconds": timing.compile_seconds,
        "run_seconds": timing.run_seconds,
        "repeats": REPEATS,
        "cores": cores,
    }


def _cores() -> int:
    return min(numba.get_num_threads(), os.cpu_count() or 1)

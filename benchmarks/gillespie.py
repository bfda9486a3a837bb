"""How many jumps per second does `jt.potts.simulate` make, against numba and GillesPy2 on the same cores?

All simulate one ring of q = 3 by Gillespie's direct method, from counts spread evenly, with as many trajectories as
make about the wanted number of jumps. The numba peer is a loop over trajectories on numba's threads with two
exponentials per bond, as the library has them, and numba's own random numbers. GillesPy2's C++ solver (`SSACSolver`)
gets the same propensities as expressions of the counts; it writes trajectories to text and reads them back, at the two
ends of time only, and its jumps are not counted but taken from the library's mean. Its run time includes this, but not
the compilation of its model. It runs on one core, so that it is quoted against the library's rate divided by its cores
too. `spread`, the mean of sum (N_i/N)^2 at the end, tells that it solves the same model.

GillesPy2 runs in a process of its own, by the interpreter that the environment variable GILLESPY2_PYTHON names, or by
this one; it needs a C++ compiler. It is stopped, with all that it started, where it takes longer than TIMEOUT.
"""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numba
import numpy as np

import jaxthermo as jt
from benchmarks._bench import Timing, on_accelerator, time_call

Q, COUPLING, FORCE, PREFACTOR, BETA = 3, -1.0, 1.0, 1.0, 3.5
# Units, trajectories and time: about 7e7 jumps each, on an accelerator 2e8 by more trajectories.
# GillesPy2 has a share of them.
CASES = ((30, 8192, 60.0), (300, 2048, 24.0), (3000, 512, 9.6))
CASES_ACCELERATOR = ((30, 65536, 20.0), (300, 65536, 2.0), (3000, 65536, 0.2))
QUICK = ((30, 256, 2.0),)
GILLESPY_SHARE = 64
REPEATS = 5
GILLESPY = "GillesPy2 SSACSolver"
WORKER = Path(__file__).with_name("_gillespy_worker.py")
# Seconds for one case of GillesPy2: compilation, and all its runs.
TIMEOUT = 120.0
MISSING = "skipped: {} cannot import GillesPy2; pip install gillespy2, or name another one in GILLESPY2_PYTHON"


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows for each number of units; `ratio_to_library` is the library's jumps per second over the row's."""
    large = CASES_ACCELERATOR if on_accelerator() else CASES
    return [row for case in (QUICK if quick else large) for row in _rows(*case)]


def ring() -> jt.PottsRing:
    """The ring that everybody simulates."""
    return jt.PottsRing(Q, COUPLING, FORCE, PREFACTOR)


def start_of(units: int) -> np.ndarray:
    """Counts spread evenly."""
    return np.full(Q, units // Q)


def jaxthermo_run(units: int, trajectories: int, t_end: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Work per unit and time, jumps, and final counts, of every trajectory."""
    done = jt.potts.simulate(ring(), BETA, units, t_end, trajectories, jax.random.key(0), start_of(units))
    return np.asarray(done.work), np.asarray(done.jumps), np.asarray(done.final_counts)


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


def gillespy_run(units: int, trajectories: int, t_end: float, timeout: float = TIMEOUT) -> dict[str, Any] | str:
    """What `_gillespy_worker.py` prints, or the reason why it does not."""
    python = os.environ.get("GILLESPY2_PYTHON", sys.executable)
    task = {"q": Q, "units": units, "coupling": COUPLING, "force": FORCE, "prefactor": PREFACTOR, "beta": BETA}
    task |= {"t_end": t_end, "trajectories": trajectories, "repeats": REPEATS}
    command = [python, str(WORKER), json.dumps(task)]
    # Its build tool is a command that lies beside its interpreter.
    folder = Path(shutil.which(python) or python).parent
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        # A session of its own: the solver is a process that the worker starts, and must not outlive it.
        worker = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
        )
    except OSError as error:
        return f"skipped: {python} cannot be run: {error}"
    try:
        printed, complaint = worker.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"stopped: not done after {timeout:g} s"
    finally:
        _end(worker)
    if worker.returncode == 0:
        return json.loads(printed.splitlines()[-1])
    if "ModuleNotFoundError" in complaint:
        return MISSING.format(python)
    return f"failed: {complaint.strip().splitlines()[-1]}"


def _end(worker: "subprocess.Popen[str]") -> None:
    """Nothing of the worker's session is left, whatever became of the worker."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.communicate()


def _rows(units: int, trajectories: int, t_end: float) -> list[dict[str, Any]]:
    jax.clear_caches()
    timing = time_call(lambda: jaxthermo_run(units, trajectories, t_end)[1], repeats=REPEATS)
    work, jumps, counts = jaxthermo_run(units, trajectories, t_end)
    ours = _row("jaxthermo simulate", units, trajectories, t_end, int(jumps.sum()), timing, _cores())
    ours |= _mean("work", work) | _mean("spread", spread(counts))
    peer = numba_run(units)
    timing = time_call(lambda: peer(trajectories, t_end)[1], repeats=REPEATS)
    work, made = peer(trajectories, t_end)
    theirs = _row("numba prange", units, trajectories, t_end, int(made.sum()), timing, _cores()) | _mean("work", work)
    rows = [ours, theirs, _gillespy_row(units, max(trajectories // GILLESPY_SHARE, 2), t_end, float(jumps.mean()))]
    for row in rows:
        rate = row["jumps_per_second"]
        row["ratio_to_library"] = ours["jumps_per_second"] / rate if rate else None
    return rows


def spread(counts: np.ndarray) -> np.ndarray:
    """sum (N_i/N)^2 of every trajectory's counts (trajectories, q)."""
    return np.sum((counts / counts.sum(axis=1, keepdims=True)) ** 2, axis=1)


def _gillespy_row(units: int, trajectories: int, t_end: float, jumps_each: float) -> dict[str, Any]:
    done = gillespy_run(units, trajectories, t_end)
    if isinstance(done, str):
        return {"method": GILLESPY, "units": units, "status": done, "jumps_per_second": None}
    timing = Timing(done["compile_seconds"], statistics.median(done["seconds"]))
    row = _row(GILLESPY, units, trajectories, t_end, round(jumps_each * trajectories), timing, 1)
    return row | _mean("spread", spread(np.array(done["counts"])))


def _row(
    method: str, units: int, trajectories: int, t_end: float, jumps: int, timing: Timing, cores: int
) -> dict[str, Any]:
    return {
        "method": method,
        "units": units,
        "status": "ok",
        "jumps_per_second": jumps / timing.run_seconds,
        "trajectories": trajectories,
        "t_end": t_end,
        "jumps": jumps,
        "compile_seconds": timing.compile_seconds,
        "run_seconds": timing.run_seconds,
        "repeats": REPEATS,
        "cores": cores,
    }


def _mean(name: str, values: np.ndarray) -> dict[str, float]:
    return {name: float(values.mean()), f"{name}_error": float(values.std(ddof=1) / len(values) ** 0.5)}


def _cores() -> int:
    return min(numba.get_num_threads(), os.cpu_count() or 1)

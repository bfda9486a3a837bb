"""Whether this machine can be trusted with a calculation: versions, devices, precision, memory, compiled arithmetic."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo import cache, speed
from jaxthermo.environment import MISSING, about, versions
from jaxthermo.solve.lean import brief_jit, lean_jit

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")

# jax 0.10.2 goes wrong from 16 385 lanes in float64 and 32 769 in float32 (jax-ml/jax#39103).
LANES = 40_000


@dataclass(frozen=True)
class Diagnosis:
    """What was found, as names with values, and what is wrong, as one sentence each."""

    lines: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


def miscompiled_lanes() -> int:
    """Lanes out of 40 000 where a compiled matrix-vector product with a reduction differs from the exact value.

    It is compiled as the library's programs are, once with the process' own flags and once with each set of options
    that programs of small arrays have, so that it goes wrong where they do. The worst of them counts.
    """

    def lane(matrix: Float[Array, "3 3"], vector: Float[Array, " 3"]) -> Float[Array, ""]:
        return jnp.sum((matrix @ vector) ** 2)

    # Integers below 256 are exact in every float type, tf32 and bfloat16 products included, so no tolerance is needed;
    # a period that is prime tells a lane from its neighbours at any power of two.
    numbers = np.arange(LANES) % 251
    vectors = jnp.asarray(np.stack([numbers, 0 * numbers, 0 * numbers], axis=1), dtype=float)
    lanes = jax.vmap(lane, in_axes=(None, 0))
    found = [compiled(lanes)(jnp.eye(3), vectors) for compiled in (jax.jit, lean_jit, brief_jit)]
    return max(int(np.sum(np.asarray(values) != numbers**2)) for values in found)


def diagnose() -> Diagnosis:
    """Look at the packages, the devices and the memory, and run the known-bad calculation once."""
    wrong = miscompiled_lanes()
    lines = [*about().lines(), ("compiled against exact", f"{wrong} of {LANES} lanes differ")]
    return Diagnosis(tuple(lines), tuple(_problems(wrong, jax.devices()[0].platform)))


def with_speed(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with how fast this machine compiles and solves; a slow machine is no problem."""
    try:
        lines = speed.compared(speed.measured())
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        problem = f"The speed could not be measured: {error}."
        return Diagnosis(diagnosis.lines, (*diagnosis.problems, problem))
    return Diagnosis(diagnosis.lines + lines, diagnosis.problems)


def main(as_json: bool = False, timed: bool = True) -> int:
    """Print the diagnosis, as JSON where a script wants it; 1 if anything is wrong."""
    diagnosis = with_speed(diagnose()) if timed else diagnose()
    if as_json:
        print(json.dumps({"found": dict(diagnosis.lines), "problems": diagnosis.problems}, indent=2))
        return int(bool(diagnosis.problems))
    print("\n".join(f"{name}: {value}" for name, value in diagnosis.lines))
    print("\n".join(diagnosis.problems) or "No problems found.")
    return int(bool(diagnosis.problems))


def _problems(wrong_lanes: int, platform_name: str) -> list[str]:
    problems = [f"{name} is not installed." for name, number in versions().items() if number == MISSING]
    if wrong_lanes:
        problems.append(
            f"jax {jax.__version__} computes wrong numbers on this machine ({wrong_lanes} of {LANES} lanes of a "
            "compiled matrix-vector product); install another version, such as 0.10.1."
        )
    if reason := _cache_trouble():
        problems.append(f"Compiled programs are not kept from process to process: {reason}.")
    if platform_name == "cpu" and NVIDIA_DRIVER.exists() and "JAX_PLATFORMS" not in os.environ:
        problems.append("There is an NVIDIA driver here but jax sees no GPU; install jaxthermo[cuda].")
    return problems


def _cache_trouble() -> str:
    """Why `enable_cache` does not help here; empty if it does."""
    before = {name: getattr(jax.config, name) for name in cache.SETTINGS}
    try:
        cache.enable_cache()
    except ValueError as error:
        return str(error)
    finally:
        # To look must not turn it on.
        for name, value in before.items():
            jax.config.update(name, value)
    return "" if cache.works() else "jax does not find again what it has just stored"

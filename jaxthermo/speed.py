"""How fast this machine compiles and solves, beside the one of docs/latency.md."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Rows of the latency table, written by `python -m benchmarks.latency`.
REFERENCE = Path(__file__).with_name("speed.json")
VERBS = ("potts.stationary", "equilibrium, classical")
PATIENCE = 300.0

# As the table is made: a process of its own for each verb, here without a cache, and the same values.
PROGRAM = """
import json, sys, time, jax
jax.config.update("jax_enable_x64", True)
import jaxthermo as jt

ring = jt.PottsRing(q=3, coupling=-1.0, force=1.0, prefactor=0.1)
particle = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 1.0)
verbs = {
    "potts.stationary": (lambda beta: jt.potts.stationary(ring, beta).work_current, 4.0, 3.8),
    "equilibrium, classical": (lambda beta: jt.equilibrium(particle, beta, 1.0).X, 1.0, 0.8),
}
verb, *values = verbs[sys.argv[1]]
spent = {}
for kind, value in zip(("first_cpu", "again_cpu"), values):
    begun = time.process_time()
    jax.block_until_ready(verb(value))
    spent[kind] = time.process_time() - begun
print(json.dumps(spent))
"""


def measured() -> dict[str, dict[str, float]]:
    """CPU seconds of the first call and the second, verb by verb, on this machine.

    Raises     RuntimeError with what the process said, where it failed
    """
    return {verb: _measured(verb) for verb in VERBS}


def _measured(verb: str) -> dict[str, float]:
    own = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", PROGRAM, verb]
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(here: dict[str, dict[str, float]]) -> tuple[tuple[str, str], ...]:
    """What was measured beside the table, as pairs of words."""
    table: dict[str, Any] = json.loads(REFERENCE.read_text())
    lines = [("speed", f"CPU seconds, and those of docs/latency.md ({table['device']}, jax {table['jax_version']})")]
    for verb in VERBS:
        now, there = here[verb], table["verbs"][verb]
        pairs = [(word, now[kind], there[kind]) for word, kind in (("compiled", "first_cpu"), ("solved", "again_cpu"))]
        lines.append((verb, ", ".join(f"{word} in {a:.2g} s ({b:.2g} s, {a / b:.1f} times)" for word, a, b in pairs)))
    return tuple(lines)

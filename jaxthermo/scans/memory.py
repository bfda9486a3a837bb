"""Memory: what one lane needs, estimated from its program, and what there is."""

import itertools
import math
from pathlib import Path
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Var

# Share of the free memory that a scan may plan with; the estimate knows nothing of XLA's own scratch space.
SHARE_HOST, SHARE_DEVICE = 0.25, 0.5
# Where the system does not tell.
ASSUMED = 2 * 2**30


def bytes_per_lane(program: ClosedJaxpr) -> int:
    """Most bytes of one lane that are alive at one time, if every operation makes a new array."""
    return _peak(program.jaxpr)


def available(devices: Any) -> int:
    """Bytes that a scan may use on each of these devices."""
    stats = devices[0].memory_stats() if devices[0].platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(SHARE_DEVICE * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    return int(SHARE_HOST * host_free() / len(devices))


def host_free() -> int:
    """Free bytes of this machine, or of the control group that confines this process."""
    free = []
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free.append(1024 * int(line.split()[1]))
    limit, used = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit and used and limit[0].isdigit():
        free.append(max(0, int(limit[0]) - int(used[0])))
    return min(free, default=ASSUMED)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _peak(jaxpr: Jaxpr) -> int:
    """Walk the operations in their order; a value dies after its last use."""
    last: dict[Any, int] = {}
    for n, equation in enumerate(jaxpr.eqns):
        last |= {v: n for v in equation.invars if isinstance(v, Var)}
    last |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if isinstance(v, Var)}
    now = sum(_size(v) for v in jaxpr.invars)
    most = now
    alive = set(jaxpr.invars)
    for n, equation in enumerate(jaxpr.eqns):
        made = [v for v in equation.outvars if v in last]
        inner = max((_peak(sub) for sub in _inside(equation.params)), default=0)
        now += sum(map(_size, made))
        alive |= set(made)
        most = max(most, now + inner)
        dead = {v for v in equation.invars if isinstance(v, Var) and v in alive and last[v] == n}
        now -= sum(map(_size, dead))
        alive -= dead
    return most


def _inside(params: dict[str, Any]) -> list[Jaxpr]:
    values = itertools.chain.from_iterable(v if isinstance(v, tuple | list) else [v] for v in params.values())
    return [v.jaxpr if isinstance(v, ClosedJaxpr) else v for v in values if isinstance(v, ClosedJaxpr | Jaxpr)]


def _size(variable: Any) -> int:
    aval = variable.aval
    return math.prod(aval.shape) * getattr(aval.dtype, "itemsize", 8) if hasattr(aval, "shape") else 0


def measured(compiled: jax.stages.Compiled) -> int | None:
    """Bytes that a compiled chunk needs on each device, as XLA planned them; None where it does not say."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    parts = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes", "generated_code_size_in_bytes")
    return int(sum(getattr(analysis, part, 0) for part in parts))

"""One verb in a process of its own: `python _latency_worker.py NAME [IR_FOLDER]` prints its times as JSON.

The environment decides on the compilation cache, and by PYTHONPATH on the library that is measured. With a folder jax
writes there what it compiles, to be counted.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

STAGES = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}


class Stages:
    """Wall seconds that jax spends tracing, lowering and compiling; what runs inside another is counted once."""

    def __init__(self) -> None:
        self.spans: dict[str, list[tuple[float, float]]] = {name: [] for name in STAGES.values()}
        self.hits = 0

    def listen(self) -> None:
        import jax

        jax.monitoring.register_event_duration_secs_listener(self._duration)
        jax.monitoring.register_event_listener(self._event)

    def seconds(self, stage: str) -> float:
        total, end = 0.0, float("-inf")
        for begin, finish in sorted(self.spans[stage]):
            total += max(0.0, finish - max(begin, end))
            end = max(end, finish)
        return total

    def programs(self) -> int:
        return len(self.spans["compile"])

    def _duration(self, event: str, seconds: float, **_: Any) -> None:
        if event in STAGES:
            now = time.perf_counter()
            self.spans[STAGES[event]].append((now - seconds, now))

    def _event(self, event: str, **_: Any) -> None:
        self.hits += event == "/jax/compilation_cache/cache_hits"


def main(name: str, folder: str = "") -> dict[str, Any]:
    """Times of the import, of loading all that is exported, of the first call and the second: CPU and wall seconds."""
    import diffrax  # noqa: F401
    import jax

    jax.config.update("jax_enable_x64", True)
    importing, loading = _timed(_import), _timed(_load)
    import _latency_cases as cases

    case = cases.CASES[name]
    verb = case.prepare()
    stages = Stages()
    stages.listen()
    if folder:
        jax.config.update("jax_dump_ir_to", folder)
    before = set(Path(folder).iterdir()) if folder else set()
    first = _timed(lambda: jax.block_until_ready(verb(case.first)))
    counts = [cases.count(p.read_text()) for p in set(Path(folder).iterdir()) - before] if folder else []
    record = {
        "import": importing,
        "load": loading,
        "first": first,
        "trace": stages.seconds("trace"),
        "lower": stages.seconds("lower"),
        "compile": stages.seconds("compile"),
        "programs": stages.programs(),
        "loaded": stages.hits,
        "operations": sum(counts),
        "largest": max(counts, default=0),
    }
    again = _timed(lambda: jax.block_until_ready(verb(case.again)))
    return record | {"again": again, "programs_again": stages.programs() - record["programs"]}


def _import() -> None:
    import jaxthermo  # noqa: F401


def _load() -> None:
    """All that is exported, some of which is loaded when it is first asked for; but for the pictures."""
    import jaxthermo

    for name in set(jaxthermo.__all__) - {"plot"}:
        getattr(jaxthermo, name)


def _timed(call: Any) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

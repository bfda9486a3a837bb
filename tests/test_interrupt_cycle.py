"""Ctrl-C in the search for a cycle: it ends within a few seconds, and nothing computes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A turn of 800 000 steps at weak coupling: many minutes of work.
PROGRAM = """
import signal
import time
import jax

# Children of a shell's background job start with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
jax.config.update("jax_enable_x64", True)
import jaxthermo as jt

grid = jt.PhaseGrid(5.5, 0.5, 7.0, 0.7)
oscillator = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), 0.1, 1, 1, grid)
cycle = jt.StirlingCycle(0.6, 1.2, 0.2, 0.9)
jt.run_cycle(oscillator, cycle, 1e-3, points=2, steps=1, max_cycles=1)
print("compiled", flush=True)
try:
    jt.run_cycle(oscillator, cycle, 1e-12, points=2, steps=100_000, progress=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    # The call under way may end; then the time of all threads shows what goes on computing.
    time.sleep(2.0)
    before = time.process_time()
    time.sleep(1.0)
    print(time.process_time() - before, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_an_interrupt_ends_the_search():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout.readline() == "compiled\n"
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        # A call takes about a second; the machine may be busy.
        assert time.monotonic() - sent < 4.0
        computing = float(process.stdout.readline())
        assert computing < 0.2
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()

"""The benchmark of scans does what it says, at its smallest size."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from benchmarks import scan_throughput


def test_rows_count_lanes_and_compare_the_same_work(monkeypatch):
    monkeypatch.setattr(scan_throughput, "TURNS", 1)

    def cheap(beta, force):
        return {"work": beta * force, "steps": jnp.ones((), int)}

    row = scan_throughput._row("small", cheap, scan_throughput.ring_axes(8, 8), 16)
    assert (row["lanes"], row["chunks"], row["lanes_per_chunk"], row["sick_lanes"]) == (64, 4, 16, 0)
    assert row["ratio"] == row["bare_seconds"] / row["scan_seconds"] > 0
    assert row["peak_bytes"] > row["chunk_bytes"] > 0


def test_the_work_of_the_rings_follows_their_own_evolution():
    """Against the library's tight tolerance, to ten times the benchmark's."""
    start, ends = [0.96, 0.01, 0.01, 0.01, 0.01], [0.0, scan_throughput.FINAL_TIME]
    run = jt.potts.evolve(jt.PottsRing(5, -1.0, 1.2, 0.1), 3.0, start, ends)
    work = jax.jit(scan_throughput.ring_work)(3.0, 1.2)["work"]
    np.testing.assert_allclose(work, run.work[-1], atol=1e-5)

"""A first look at an installation: `python smoke.py FOLDER`, in an environment that has the library and nothing else.

An attractor with its gradient, an equilibrium, a drive, and scans in memory and in a store; each against what is exact.
"""

import sys
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

import jaxthermo as jt


def main(folder: Path) -> None:
    """Raises an AssertionError where a number is wrong."""
    assert "site-packages" in jt.__file__, f"{jt.__file__} is no installed package"
    ring = jt.PottsRing(q=3, coupling=-1.0, force=1.0, prefactor=0.1)
    assert abs(float(jt.potts.stationary(ring, beta=4.0).period) - 14.047104842449867) < 1e-8
    # Below the transition the work current is 2 G f sinh(beta f/2).
    slope = jax.grad(lambda beta: jt.potts.stationary(ring, beta).work_current)(2.0)
    assert abs(float(slope) - 0.1 * np.cosh(1.0)) < 1e-9
    particle = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
    rest = jt.equilibrium(particle, 1.0, 0.3)
    assert rest.ok and abs(float(rest.X) - 0.3) < 1e-8
    still = jt.drive(particle, 1.0, 0.3, [0.0, 1.0], rest)
    assert still.ok and abs(float(still.heat[-1])) < 1e-6
    axes = {"a": np.arange(4.0), "b": np.arange(3.0)}
    for store in (None, folder / "smoke.zarr"):
        found = jt.scan(lambda a, b: a * b, axes, store=store)
        assert float(found.value.sum()) == 18.0 and int(found.status.sum()) == 0
    print(f"python {sys.version.split()[0]}", *(f"{name} {jt.about().versions[name]}" for name in ("jax", "diffrax")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

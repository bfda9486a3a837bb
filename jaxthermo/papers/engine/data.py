"""The engine of Koyanagi & Tanimura 2024: its oscillator, its two cycles, the numbers that the paper prints."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian import OhmicBath, PhaseGrid, Polynomial, classical_oscillator, quantum_oscillator
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.papers.engine.cycle_inference import cycle_from
from jaxthermo.protocols import StirlingCycle

# U = 0.1 q^2 + 0.02 q^3 + 0.05 q^4, Eq. (44).
POTENTIAL = (0.0, 0.0, 0.1, 0.02, 0.05)
STRENGTHS = (0.5, 1.0, 1.5)
KINDS = ("classical", "quantum")
POLES = 2
# Of the work per cycle, relative to the energy span of the cycle: of our own, and of those that are compared with half
# a digit of Table 4, 5e-6 where it is printed most sharply.
TOLERANCE, FINE_TOLERANCE = 1e-5, 1e-6


@dataclass(frozen=True)
class Printed:
    """Work per cycle in Table 4, and half a unit of its last digit."""

    work: float
    rounding: float


TABLE_4 = {
    ("classical", 0.5): Printed(-1.44e-2, 5e-5),
    ("classical", 1.0): Printed(-5.77e-3, 5e-6),
    ("classical", 1.5): Printed(1.01e-2, 5e-5),
    ("quantum", 0.5): Printed(-1.07e-2, 5e-5),
    ("quantum", 1.0): Printed(-3.09e-3, 5e-6),
    ("quantum", 1.5): Printed(1.10e-2, 5e-5),
}

# One mesh and one depth for every coupling and both cycles; with dp = 0.5 the momenta at beta = 2.7 would not fit.
# Classical states at weak coupling curl up to finer shapes in q. In our frame a depth of 3 has a smaller error than the
# paper's 6 to 8 in the original one (docs/brownian.md).
MESHES, DEPTH = {"classical": PhaseGrid(6.0, 0.24, 10.0, 0.3), "quantum": PhaseGrid(6.0, 0.3, 10.0, 0.3)}, 3
FINE_MESH, FINE_DEPTH = PhaseGrid(6.0, 0.25, 10.0, 0.25), 4
# Table 3 of the paper: depth N, and mesh (dq, dp), whose ranges are ours.
PAPER_DEPTHS = {0.5: 6, 1.0: 7, 1.5: 8}
PAPER_STEPS = {0.5: 0.4, 1.0: 0.5, 1.5: 0.6}


def our_cycle() -> StirlingCycle:
    """A cycle of our own: the profiles of the paper's Fig. 2 are not known to us as numbers."""
    return StirlingCycle(beta_hot=0.5, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


# What `jaxthermo infer-protocol` found, in the order of `cycle_inference.PARAMETERS`; one of many that fit.
INFERRED = (
    *(0.46785, 2.73, 0.25668, 0.048188, 0.3058, 0.24915, 0.45494),
    *(0.22388, 1.1512, 0.16845, 0.83448, 0.42569, 1.8439, 0.26885, 0.90575),
)


def inferred_cycle() -> StirlingCycle:
    """A cycle with the six works of Table 4 (symmetric thermostat, K = 2); inferred, not the paper's own."""
    return cycle_from(jnp.asarray(INFERRED))


# The two cycles, by the names that files and captions give them.
CYCLES = {"own": our_cycle, "inferred": inferred_cycle}
LABELS = {"own": "A cycle of our own", "inferred": "A cycle inferred from Table 4, not the paper's own"}


def oscillator(kind: str, strength: float, full: bool = False, thermostat: str = "symmetric") -> Oscillator:
    """The paper's oscillator on our mesh, or on the finer one."""
    potential, grid = Polynomial(POTENTIAL), FINE_MESH if full else MESHES[kind]
    if kind == "classical":
        return classical_oscillator(potential, strength, grid)
    bath = OhmicBath(strength, POLES, FINE_DEPTH if full else DEPTH, thermostat=thermostat)
    return quantum_oscillator(potential, bath, grid=grid)


def on_the_papers_mesh(kind: str, strength: float) -> Oscillator:
    """The same with the depths and steps of the paper's Table 3."""
    potential = Polynomial(POTENTIAL)
    if kind == "classical":
        return classical_oscillator(potential, strength, PhaseGrid(6.0, 0.25, 12.0, 0.25))
    dp = PAPER_STEPS[strength]
    bath = OhmicBath(strength, POLES, PAPER_DEPTHS[strength])
    return quantum_oscillator(potential, bath, grid=PhaseGrid(6.0, 0.3, 30 * dp, dp))


def equation(kind: str, full: bool) -> str:
    """Which equation is solved, and how deeply, for captions."""
    mesh, depth = (FINE_MESH, FINE_DEPTH) if full else (MESHES[kind], DEPTH)
    steps = f"mesh dq = {mesh.dq:g}, dp = {mesh.dp:g}"
    if kind == "classical":
        return f"Kramers equation, {steps}"
    return f"hierarchical Wigner equation, symmetric thermostat, K = {POLES}, depth {depth}, {steps}"


@functools.cache
def cycle_settings(name: str) -> list[float]:
    """The numbers of a cycle."""
    return [float(value) for leaf in jax.tree.leaves(CYCLES[name]()) for value in np.ravel(leaf)]

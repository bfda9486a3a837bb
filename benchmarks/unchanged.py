"""Are results what they were before the library was redrawn?

`unchanged.json` has what commit d3bc494 gives, the last one before, with the calls as they were written then; it was
run with the same versions of jax and diffrax. `python -m benchmarks.unchanged` computes the same results as they are
asked for today, and writes docs/unchanged.md. A result may differ by what both versions promise together, which is
stated. What was wrong then is left out: docs/promises.md lists it.
"""

import functools
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt
from jaxthermo._results import JaxthermoWarning
from jaxthermo.papers.tables import markdown

BEFORE = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "unchanged.md"
HEADER = ["result", "before", "now", "difference", "allowed"]
TEXT = """# Results before and after the redrawing

The library was redrawn once, with other names, one kind of result, open types and shorter programs. These {count}
results were computed before (commit {commit}) and after, from the same parameters. "allowed" is the error that both
may have together; how it follows from the promises is said in `benchmarks/unchanged.py`, which writes this page:
`python -m benchmarks.unchanged`. The calls as they were written before are in `benchmarks/unchanged.json`.

What was wrong before is not in it: [promises.md](promises.md) lists it with its tests.

{table}
"""


@dataclass(frozen=True)
class Row:
    """A result today, and by how much it may differ from what it was."""

    now: Callable[[], Any]
    allowed: float


def ring(q: int = 3, coupling: Any = -1.0, force: Any = 1.0) -> jt.PottsRing:
    """README's ring."""
    return jt.PottsRing(q, coupling, force, 0.1)


def oscillator(thermostat: str = "symmetric") -> Any:
    """README's quantum particle on its own mesh."""
    bath = jt.OhmicBath(1.0, 2, 2, thermostat=thermostat)
    return jt.quantum_oscillator(potential(), bath, grid=jt.PhaseGrid(5.6, 0.28, 10.5, 0.5))


def classical() -> Any:
    """The classical particle in the same potential."""
    return jt.classical_oscillator(potential(), 1.0, jt.PhaseGrid(5.6, 0.28, 9.8, 0.5))


def harmonic() -> Any:
    """A parabola, classical."""
    return jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(7.0, 0.35, 7.0, 0.35))


def potential() -> jt.Polynomial:
    """README's potential."""
    return jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])


@functools.cache
def trajectory() -> Any:
    return jt.potts.evolve(ring(), 4.0, [0.8, 0.1, 0.1], np.linspace(0.0, 100.0, 501))


@functools.cache
def moving() -> Any:
    driven = ring(force=lambda t: 1.0 + 0.5 * jnp.cos(t))
    times = np.linspace(0.0, 50.0, 201)
    return jt.potts.evolve(driven, lambda t: 3.0 + jnp.sin(0.5 * t), [0.8, 0.1, 0.1], times)


@functools.cache
def at_rest() -> Any:
    return jt.potts.stationary(ring(), 4.0)


@functools.cache
def slope() -> Any:
    def work(beta: Any, coupling: Any, force: Any) -> Any:
        return jt.potts.stationary(ring(3, coupling, force), beta).work_current

    return jax.grad(work, (0, 1, 2))(4.0, -1.0, 1.0)


@functools.cache
def converter() -> Any:
    return jt.potts.maximum_power(3, -1.0, 0.1, 1.0, 2.0)


@functools.cache
def ten() -> Any:
    return jt.potts.mesoscopic_stationary(ring(), 3.5, 10)


@functools.cache
def state(quantum: bool = True) -> Any:
    return jt.equilibrium(oscillator() if quantum else classical(), 1.0, 1.0)


@functools.cache
def drive(moves: str) -> Any:
    beta, x = {"beta": (lambda t: 1.0 - 0.05 * t, 1.0), "x": (1.0, lambda t: 1.0 - 0.1 * t)}[moves]
    return jt.drive(oscillator(), beta, x, np.linspace(0.0, 5.0, 21))


@functools.cache
def cycle(kind: str) -> Any:
    engine = {"classical": classical, "quantum": oscillator, "earlier": lambda: oscillator("earlier")}[kind]()
    return jt.run_cycle(engine, jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, 20.0), points=10)


# `stationary`, folds, finite N: 1e-9 each, of numbers of order 1; trajectories at the tolerances of a step then.
EXACT, STEPS = 3e-9, 1e-6
# An equilibrium 1e-6 of its scale, about 2, in either; then on a grid of its own with depth 2.
AT_REST = 4e-6
# 2 tol of the swing of U, about 0.7, and the error of a step of 1e-6 along a drive.
CYCLE, DRIVE = 3e-6, 2e-5
ROWS = {
    "ring, mean work current of a trajectory": Row(lambda: trajectory().work_current.mean(), STEPS),
    "ring, moving force and temperature: work": Row(lambda: moving().work[-1], STEPS),
    "ring, moving force and temperature: entropy production rate at the end": Row(
        lambda: moving().entropy_production_rate[-1], STEPS
    ),
    "ring at beta = 4, work current": Row(lambda: at_rest().work_current, EXACT),
    "ring at beta = 4, period": Row(lambda: at_rest().period, 10 * EXACT),
    "ring at beta = 4, energy": Row(lambda: at_rest().energy, EXACT),
    "ring at beta = 4, d(work current)/d(beta)": Row(lambda: slope()[0], 10 * EXACT),
    "ring at beta = 4, d(work current)/d(coupling)": Row(lambda: slope()[1], 10 * EXACT),
    "ring at beta = 4, d(work current)/d(force)": Row(lambda: slope()[2], 10 * EXACT),
    "ring of 5 at beta = 6, work current": Row(lambda: jt.potts.stationary(ring(5), 6.0).work_current, EXACT),
    "ring at beta = 7, work current of the localised state": Row(
        lambda: jt.potts.stationary(ring(), 7.0).work_current, EXACT
    ),
    "ring, beta at which the uniform state loses stability": Row(
        lambda: jt.potts.critical_beta(jt.PottsRing(4, -0.7, 1.0, 0.1, rates=jt.potts.LoadSharing(0.3))), EXACT
    ),
    "ring at beta = 2, growth of the first mode": Row(lambda: jt.potts.spectrum(ring(), 2.0)[1].real, EXACT),
    "ring at beta = 2, frequency of the first mode": Row(lambda: abs(jt.potts.spectrum(ring(), 2.0)[1].imag), EXACT),
    "ring, beta of the fold": Row(lambda: jt.potts.fold_beta(ring()), EXACT),
    "ring, d(beta of the fold)/d(force)": Row(
        lambda: jax.grad(lambda f: jt.potts.fold_beta(ring(force=f)))(1.0), 10 * EXACT
    ),
    "ring at the onset, Lyapunov coefficient": Row(lambda: jt.potts.normal_form(ring()).lyapunov[0], 10 * EXACT),
    "ring at beta = 5, period of the cycle": Row(lambda: jt.potts.limit_cycle(ring(), 5.0).period, 10 * EXACT),
    "converter at beta = 2, largest power": Row(lambda: converter().power, 1e-6),
    "converter at beta = 2, efficiency there": Row(lambda: converter().efficiency, 1e-3),
    "10 units, work current": Row(lambda: ten().work_current, EXACT),
    "10 units, entropy production rate": Row(lambda: ten().entropy_production_rate, EXACT),
    "5 units one by one, work current": Row(
        lambda: jt.potts.microscopic_stationary(ring(), 3.5, 5).work_current, EXACT
    ),
    "10 units, ratio of the uncertainty relation": Row(
        lambda: jt.potts.cumulants(ring(), 3.5, 10).uncertainty_ratio, 1e-7
    ),
    "10 units, quality of the oscillation": Row(lambda: jt.potts.coherence(ring(), 4.0, 10).quality_factor, 1e-7),
    "quantum equilibrium, X": Row(lambda: state().X, AT_REST),
    "quantum equilibrium, U": Row(lambda: state().U, AT_REST),
    "quantum equilibrium, <q^2>": Row(lambda: state().q2, AT_REST),
    "quantum equilibrium, <p^2>": Row(lambda: state().p2, AT_REST),
    "quantum equilibrium, dX/dx": Row(
        lambda: jax.grad(lambda x: jt.equilibrium(oscillator(), 1.0, x).X)(1.0), 10 * AT_REST
    ),
    "classical equilibrium, X": Row(lambda: state(quantum=False).X, AT_REST),
    "classical equilibrium, U": Row(lambda: state(quantum=False).U, AT_REST),
    "slow heating, U at the end": Row(lambda: drive("beta").U[-1], DRIVE),
    "moving field, work": Row(lambda: drive("x").work[-1], DRIVE),
    "classical Stirling cycle, work": Row(lambda: cycle("classical").work, CYCLE),
    "classical Stirling cycle, heat": Row(lambda: cycle("classical").heat, CYCLE),
    "quantum Stirling cycle, work": Row(lambda: cycle("quantum").work, CYCLE),
    "quantum Stirling cycle, memory of the earlier temperature: work": Row(lambda: cycle("earlier").work, CYCLE),
    "classical Planck potential": Row(lambda: jt.planck_potential(classical(), 1.0, 1.0), AT_REST),
    "quantum Planck potential": Row(lambda: jt.planck_potential(oscillator(), 1.0, 1.0), AT_REST),
    "harmonic ramp, least work": Row(lambda: jt.optimal_ramp(harmonic(), 1.0, 0.0, 1.0, 2.0, 2).work, 1e-5),
    "harmonic particle, least integral to another state": Row(
        lambda: jt.minimum_work(harmonic(), jt.equilibrium(harmonic(), 1.0, 0.0), 1.0, 0.5, order=2, dt=0.05).value,
        1e-5,
    ),
}


def now(names: Any = ROWS) -> dict[str, float]:
    """The results of today."""
    with warnings.catch_warnings():
        # A mesh and a depth that are given may be too small for the promise; the numbers are compared all the same.
        warnings.simplefilter("ignore", JaxthermoWarning)
        return {name: float(np.asarray(ROWS[name].now())) for name in names}


def before() -> dict[str, float]:
    """The results of the old version."""
    return {name: one["value"] for name, one in json.loads(BEFORE.read_text())["results"].items()}


def page(values: dict[str, float]) -> str:
    """docs/unchanged.md."""
    old, lines = before(), []
    for name, value in values.items():
        difference = f"{value - old[name]:.1e}"
        lines.append([name, f"{old[name]:.10g}", f"{value:.10g}", difference, f"{ROWS[name].allowed:.0e}"])
    commit = json.loads(BEFORE.read_text())["commit"]
    return TEXT.format(count=len(lines), commit=commit, table=markdown("Results", HEADER, lines))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    jt.enable_cache()
    values = now()
    old = before()
    for name, value in values.items():
        difference = abs(value - old[name])
        print(f"{name}: {value:.10g}, was {old[name]:.10g}", "" if difference <= ROWS[name].allowed else "DIFFERS")
    PAGE.write_text(page(values))


if __name__ == "__main__":
    main()

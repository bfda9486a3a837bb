"""Bad input names its argument; trouble inside a solve is a status in the result."""

import subprocess
import sys

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

QUARTIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05])
GRID = jt.PhaseGrid(5.0, 0.5, 6.0, 0.6)
KRAMERS = jt.classical_oscillator(QUARTIC, 1.0, GRID)
TIMES = [0.0, 0.5, 1.0]

CONSTRUCTION = {
    "grid q_max": (lambda: jt.PhaseGrid(-1.0, 0.1, 5.0, 0.1), "`q_max` must be finite and > 0"),
    "grid dq": (lambda: jt.PhaseGrid(5.0, 0.0, 5.0, 0.1), "`dq` must be finite and > 0"),
    "grid p_max": (lambda: jt.PhaseGrid(5.0, 0.1, np.inf, 0.1), "`p_max` must be finite and > 0"),
    "grid dp": (lambda: jt.PhaseGrid(5.0, 0.1, 5.0, np.nan), "`dp` must be finite and > 0"),
    "grid of vectors": (lambda: jt.PhaseGrid(np.ones(2), 0.1, 5.0, 0.1), "`q_max` must be a number"),
    "one point": (lambda: jt.PhaseGrid(0.1, 0.5, 5.0, 0.1), "`q_max` / `dq` must give 3 to"),
    "too many points": (lambda: jt.PhaseGrid(5.0, 0.1, 5.0, 1e-4), "`p_max` / `dp` must give 3 to"),
    "depth 0": (lambda: jt.quantum_oscillator(QUARTIC, 1.0, 2, 0), "`depth` must be >= 1"),
    "negative depth": (lambda: jt.OhmicBath(1.0, 0, -1), "`depth` must be an integer >= 0"),
    "7 poles": (lambda: jt.OhmicBath(1.0, 7, 1), "`poles` must be <= 6"),
    "-1 poles": (lambda: jt.OhmicBath(1.0, -1, 1), "`poles` must be an integer >= 0"),
    "true poles": (lambda: jt.OhmicBath(1.0, True, 1), "`poles` must be an integer >= 0"),
    "scheme": (lambda: jt.quantum_oscillator(QUARTIC, 1.0, 1, 1, scheme="taylor"), "`scheme` must be one of"),
    "drude depth": (lambda: jt.DrudeBath(1.0, 2.0, 0, 1), "`depth` must be >= 2"),
    "no coefficients": (lambda: jt.Polynomial([]), "`coefficients` must be one-dimensional and not empty"),
    "square coefficients": (lambda: jt.Polynomial(np.eye(2)), "`coefficients` must be one-dimensional"),
    "no baths": (lambda: jt.SwitchedBaths([], [], []), "`baths`, `betas` and `windows` must have one common length"),
    "betas": (
        lambda: jt.SwitchedBaths([jt.OhmicBath(1.0, 1, 1)], [1.0, 2.0], [lambda t: 1.0]),
        "`baths`, `betas` and `windows` must have one common length",
    ),
    "cold betas": (lambda: jt.SwitchedBaths([jt.OhmicBath(1.0, 1, 1)], [-1.0], [lambda t: 1.0]), "`betas` must be > 0"),
    "depths": (
        lambda: jt.SwitchedBaths([jt.OhmicBath(1.0, 1, d) for d in (1, 2)], [1.0, 2.0], [abs, abs]),
        "`baths` must share one depth",
    ),
}


@pytest.mark.parametrize("case", CONSTRUCTION)
def test_construction_names_the_bad_argument(case):
    make, message = CONSTRUCTION[case]
    with pytest.raises(ValueError, match=message):
        make()


def kramers(**numbers):
    return jt.classical_oscillator(QUARTIC, **({"strength": 1.0, "grid": GRID} | numbers))


EQUILIBRIUM = {
    "beta 0": (KRAMERS, 0.0, 0.5, "`beta` must be > 0"),
    "beta -1": (KRAMERS, -1.0, 0.5, "`beta` must be > 0"),
    "beta NaN": (KRAMERS, np.nan, 0.5, "`beta` must be finite"),
    "x inf": (KRAMERS, 1.0, np.inf, "`x` must be finite"),
    "mass": (kramers(mass=-1.0), 1.0, 0.5, "`mass` must be > 0"),
    "hbar": (kramers(hbar=0.0), 1.0, 0.5, "`hbar` must be > 0"),
    "strength": (kramers(strength=np.nan), 1.0, 0.5, "`strength` must be finite"),
    "cutoff": (
        jt.quantum_oscillator(QUARTIC, jt.DrudeBath(1.0, -2.0, 1, 2), grid=GRID),
        1.0,
        0.5,
        "`cutoff` must be > 0",
    ),
    "linear potential": (jt.classical_oscillator(jt.Polynomial([0.0, 1.0]), 1.0), 1.0, 0.5, "`potential` must confine"),
    "Morse potential": (
        jt.classical_oscillator(lambda q: 2.0 * (1.0 - jnp.exp(-0.5 * q)) ** 2, 1.0),
        1.0,
        0.0,
        "`potential` must confine",
    ),
}


@pytest.mark.parametrize("case", EQUILIBRIUM)
def test_equilibrium_names_the_bad_argument(case):
    oscillator, beta, x, message = EQUILIBRIUM[case]
    with pytest.raises(ValueError, match=message):
        jt.equilibrium(oscillator, beta, x)


DRIVE = {
    "beta 0": ((0.0, 0.5, TIMES), {}, "`beta` must be > 0"),
    "beta crosses 0": ((lambda t: 0.8 - t, 0.5, TIMES), {}, "`beta` must be > 0"),
    "beta dips between times": ((lambda t: 0.5 - jnp.sin(jnp.pi * t) ** 2, 0.5, [0.0, 1.0]), {}, "`beta` must be > 0"),
    "beta NaN": ((lambda t: jnp.sqrt(0.5 - t), 0.5, TIMES), {}, "`beta` must be finite"),
    "x NaN": ((1.0, np.nan, TIMES), {}, "`x` must be finite"),
    "x NaN on the path": ((1.0, lambda t: jnp.log(t - 0.25), TIMES), {}, "`x` must be finite"),
    "one time": ((1.0, 0.5, [0.0]), {}, "`ts` must be one-dimensional with at least two"),
    "times back": ((1.0, 0.5, [0.0, 1.0, 0.5]), {}, "`ts` must be strictly increasing"),
    "times NaN": ((1.0, 0.5, [0.0, np.nan]), {}, "`ts` must be finite"),
    "tol": ((1.0, 0.5, TIMES), {"tol": 1e-16}, "`tol` must be >= "),
}


@pytest.mark.parametrize("case", DRIVE)
def test_drive_names_the_bad_argument(case):
    arguments, keywords, message = DRIVE[case]
    with pytest.raises(ValueError, match=message):
        jt.drive(KRAMERS, *arguments, **keywords)


@pytest.fixture(scope="module")
def state():
    return jt.equilibrium(KRAMERS, 1.0, 0.5)


def test_drive_names_a_bad_step(state):
    with pytest.raises(ValueError, match="`dt` must be > 0"):
        jt.drive(KRAMERS, 1.0, 0.5, TIMES, state, dt=-0.1)
    with pytest.raises(ValueError, match=r"`dt` must be <= .* for Tsit5 to be stable"):
        jt.drive(KRAMERS, 1.0, 0.5, TIMES, state, diffrax.Tsit5(), dt=0.5)
    with pytest.raises(ValueError, match="`solver` must be an explicit"):
        jt.drive(KRAMERS, 1.0, 0.5, TIMES, state, diffrax.Kvaerno3(), dt=0.01)


def test_a_state_of_another_grid_or_hierarchy_is_refused(state):
    with pytest.raises(ValueError, match="`state` must be on the oscillator's grid"):
        jt.drive(kramers(grid=jt.PhaseGrid(5.0, 0.4, 6.0, 0.6)), 1.0, 0.5, TIMES, state)
    with pytest.raises(ValueError, match="`state` must come from the oscillator's own bath"):
        jt.drive(jt.quantum_oscillator(QUARTIC, 1.0, 1, 1, GRID), 1.0, 0.5, TIMES, state)


class WithoutFlows(jt.OhmicBath):
    def flows(self):
        return None


def test_split_steps_need_a_bath_with_flows():
    explicit = jt.classical_oscillator(QUARTIC, WithoutFlows(1.0, 0, 0), GRID)
    start = jt.equilibrium(explicit, 1.0, 0.5)
    with pytest.raises(ValueError, match="`solver` SplitStep needs a bath with split flows"):
        jt.drive(explicit, 1.0, 0.5, TIMES, start, jt.SplitStep())


def test_windows_that_are_all_closed_choose_no_start():
    bath = jt.SwitchedBaths([jt.OhmicBath(1.0, 0, 0)], [1.0], [lambda t: jnp.sin(t)])
    with pytest.raises(ValueError, match="`windows` must not all be closed at t = 0"):
        jt.drive(jt.classical_oscillator(QUARTIC, bath, GRID), 1.0, 0.5, TIMES)


def test_searches_for_least_work_ask_for_one_temperature(state):
    bath = jt.SwitchedBaths([jt.OhmicBath(1.0, 0, 0)], [1.0], [lambda t: 1.0])
    model = jt.classical_oscillator(QUARTIC, bath, GRID)
    with pytest.raises(ValueError, match="`oscillator` must have one bath that follows beta"):
        jt.minimum_work(model, state, 1.0, 0.5)
    with pytest.raises(ValueError, match="`oscillator` must have one bath that follows beta"):
        jt.optimal_ramp(model, 1.0, 0.0, 1.0, 5.0, 1)


def test_a_classical_oscillator_has_no_noises_of_its_own():
    with pytest.raises(ValueError, match="`strength` must be a bath without modes"):
        jt.classical_oscillator(QUARTIC, jt.OhmicBath(1.0, 1, 1))


def test_traced_parameters_need_a_grid():
    oscillator = jt.classical_oscillator(QUARTIC, 1.0)
    with pytest.raises(ValueError, match="`grid` must be given"):
        jax.jit(lambda beta: jt.equilibrium(oscillator, beta, 0.5).X)(1.0)


def test_a_run_that_ends_early_says_so(state):
    """Times not reached are NaN, those reached are numbers."""
    run = jt.drive(KRAMERS, 1.0, 0.9, [0.0, 0.1, 50.0], state, max_steps=12)
    assert run.outcome == "max steps reached"
    assert np.all(np.isfinite(run.X[:2])) and np.isnan(run.X[2]) and np.isnan(run.work[2])


def test_a_grid_too_small_says_so():
    """At beta = 0.2 the momentum alone is 2.2 wide, and the grid ends at 6."""
    run = jt.drive(KRAMERS, 0.2, 0.5, TIMES)
    assert run.outcome == "grid too small"
    assert run.edge.max() > 1e-5
    assert np.all(np.isfinite(run.X))
    assert jt.equilibrium(KRAMERS, 0.2, 0.5).edge > 1e-5


def test_single_precision_is_refused():
    with jax.enable_x64(False):
        oscillator = jt.classical_oscillator(QUARTIC, 1.0, GRID)
        with pytest.raises(ValueError, match="jax_enable_x64"):
            jt.equilibrium(oscillator, 1.0, 0.5)
        with pytest.raises(ValueError, match="jax_enable_x64"):
            jt.run_cycle(oscillator, jt.StirlingCycle(0.5, 1.0, 0.0, 1.0), 1e-6)
        with pytest.raises(ValueError, match="jax_enable_x64"):
            jt.optimal_ramp(oscillator, 1.0, 0.0, 1.0, 2.0, 1)
        # Rounding errors had looked like waves, and the grid had 1 127 x 45 points.
        with pytest.raises(ValueError, match="jax_enable_x64"):
            jt.grid_for(oscillator, [0.5, 1.0], 0.0)


# What the suite's type checks would refuse first, in the words that a user reads.
WRONG_TYPES = """
import jax
jax.config.update("jax_enable_x64", True)
import diffrax
import jaxthermo as jt
U, grid = jt.Polynomial([0.0, 0.0, 0.5]), jt.PhaseGrid(5.0, 0.5, 6.0, 0.6)
kramers = jt.classical_oscillator(U, 1.0, grid)
cycle = jt.StirlingCycle(0.5, 1.0, 0.0, 1.0)
cases = {
    "`depth` must be an integer >= 0": lambda: jt.OhmicBath(1.0, 1, 1.5),
    "`poles` must be an integer >= 0": lambda: jt.OhmicBath(1.0, "two", 1),
    "`potential` must be a function": lambda: jt.classical_oscillator([0.0, 0.0, 1.0], 1.0),
    "`coordinate` must be a function": lambda: jt.classical_oscillator(U, 1.0, coordinate=1.0),
    "`grid` must be a jt.PhaseGrid": lambda: jt.classical_oscillator(U, 1.0, grid=(5, 0.1)),
    "`strength` must be a scalar": lambda: jt.OhmicBath([1.0, 2.0]),
    "`strength` must be a number": lambda: jt.OhmicBath("strong"),
    "`mass` must be a scalar": lambda: jt.classical_oscillator(U, 1.0, mass=[1.0, 2.0]),
    "`oscillator` must be": lambda: jt.equilibrium("pendulum", 1.0, 0.5),
    "`beta` must be a scalar": lambda: jt.equilibrium(kramers, [1.0, 2.0], 0.5),
    "`x` must be a number": lambda: jt.equilibrium(kramers, 1.0, "left"),
    "`beta` must be a scalar (batch": lambda: jt.drive(kramers, [1.0, 2.0], 0.5, [0.0, 1.0]),
    "`x` must be a scalar (batch with jax.vmap) or a function of time, but has shape (2,); x=jt.Table": lambda: (
        jt.drive(kramers, 1.0, [0.5, 1.0], [0.0, 1.0])
    ),
    "`dt` must be a scalar": lambda: jt.drive(kramers, 1.0, 0.5, [0.0, 1.0], dt=[0.1, 0.2]),
    "`solver` must be an explicit Runge-Kutta": lambda: jt.drive(kramers, 1.0, 0.5, [0.0, 1.0], solver="Tsit5"),
    "`steps` must be an integer >= 1": lambda: jt.run_cycle(kramers, cycle, steps=2.5),
    "`steps` must be >= ": lambda: jt.run_cycle(kramers, cycle, solver=diffrax.Tsit5(), points=5, steps=1),
    "`solver` must be an explicit Runge-Kutta method": lambda: jt.run_cycle(kramers, cycle, solver="Tsit5"),
    "`state` must come from": lambda: jt.drive(kramers, 1.0, 0.5, [0.0, 1.0], state=[1.0]),
    "`cycle` must be a jt.AbstractCycle": lambda: jt.run_cycle(kramers, "carnot"),
    "`tol` must be a number": lambda: jt.run_cycle(kramers, cycle, "fine"),
}
for message, call in cases.items():
    try:
        call()
    except ValueError as error:
        assert str(error).startswith(message), (message, error)
    else:
        raise SystemExit(message)
"""


def test_wrong_types_are_named_without_the_type_checks_of_the_suite():
    done = subprocess.run([sys.executable, "-c", WRONG_TYPES], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr

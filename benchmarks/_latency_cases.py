"""The verbs whose waits `latency` measures: one entry each, at the values that a first-time user would type.

An entry is a function that prepares what the verb is given and returns the verb as a function of one number. It is
called at `first` and then at `again`, in a process of its own. `program` gives the verb's main computation as a pure
function with arguments, for counting its operations by tracing alone.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt

TIMES = np.linspace(0.0, 5.0, 11)
QUARTIC = (0.0, 0.0, 0.1, 0.02, 0.05)
Verb = Callable[[float], Any]
Program = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """A verb, the two values, and the seconds of CPU asked for: first call, second call, first call with the cache."""

    prepare: Callable[[], Verb]
    first: float
    again: float
    wanted: tuple[float, float, float]
    program: Callable[[], Program] | None = None


def ring() -> Any:
    """README's ring."""
    return jt.PottsRing(q=3, coupling=-1.0, force=1.0, prefactor=0.1)


def classical(grid: Any = None) -> Any:
    """The classical particle in README's potential."""
    return jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0, grid)


def quantum(grid: Any = None) -> Any:
    """The quantum particle in README's potential, with the library's own number of poles and depth."""
    return jt.quantum_oscillator(jt.Polynomial(QUARTIC), 1.0, grid=grid)


def readme_grid() -> Any:
    """The mesh of README's quantum example."""
    return jt.PhaseGrid(q_max=5.6, dq=0.28, p_max=10.5, dp=0.5)


def shallow() -> Any:
    """README's quantum example, on its own mesh."""
    return jt.quantum_oscillator(jt.Polynomial(QUARTIC), strength=1.0, poles=2, depth=2, grid=readme_grid())


def engine(beta_hot: float) -> Any:
    """README's cycle at another hot temperature."""
    return jt.StirlingCycle(beta_hot, beta_cold=1.0, x_start=1.5, x_end=1.0, period=20.0)


def breathing() -> Any:
    """A classical parabola whose stiffness is 1 + x."""
    return jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, coordinate=jt.Polynomial([0.0, 0.0, -0.5]))


def carnot(beta_hot: float) -> Any:
    """The cycle of docs/cycles.md at another hot temperature."""
    return jt.CarnotCycle(beta_hot, 1.0, [0.0, -0.5, -0.875, -0.75], 24.0)


def windows(beta_hot: float) -> Any:
    """README's particle between two baths that hand over to each other."""
    openings = [lambda t: jnp.cos(0.6 * t) ** 2, lambda t: jnp.sin(0.6 * t) ** 2]
    baths = jt.SwitchedBaths([jt.OhmicBath(1.0, 1, 2)] * 2, [beta_hot, 1.0], openings)
    between = jt.quantum_oscillator(jt.Polynomial(QUARTIC), baths, grid=readme_grid())
    return jt.drive(between, 1.0, 1.0, TIMES).heat_of


def spline(beta_hot: float) -> Any:
    """README's cycle without corners."""
    return jt.run_cycle(classical(readme_grid()), jt.SplineCycle.along(engine(beta_hot), 8), 1e-4).work


def better(period: float) -> Any:
    """Two steps of a search for more power from README's cycle."""
    cycle = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period)
    return jt.optimise_cycle(classical(readme_grid()), cycle, bounds={"x_end": (0.5, 1.4)}, steps=2).power


def front(period: float) -> Any:
    """Both ends of a front, each by two steps of a search from README's cycle."""
    cycle, bounds = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, period), {"x_end": (0.5, 1.4)}
    return jt.search.pareto_front(classical(readme_grid()), cycle, bounds, points=2, steps=2, progress=False).power


def mixed(share: float) -> Any:
    """A mixture of two levels of the particle of docs/brownian.md."""
    parabola = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.5, 1, 3)
    return jt.State.from_density_matrix(parabola, np.diag([share, 1.0 - share]), beta=1.0).purity


def cat(q: float) -> Any:
    """A cat state of the particle of docs/brownian.md."""
    parabola = jt.quantum_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 0.5, 1, 3)
    return jt.State.cat(parabola, q, 0.0, beta=1.0).purity


def pair(coupling: Any = -0.6) -> Any:
    """Two-state units, both of whose reservoirs share the edge."""
    return jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 2.0], coupling, [0.0, 0.8], [0, 1])


def converted(beta_hot: float) -> Any:
    """Efficiency of ten of them."""
    steady = jt.jumps.mesoscopic_stationary(pair(), [beta_hot, 2.0], 10)
    return jt.jumps.conversion(steady.work_current, steady.heat_currents, [beta_hot, 2.0])


def swinging(swing: float) -> Any:
    """The work of a period while the first temperature swings."""

    def hot(t: Any) -> Any:
        return 0.5 + swing * jnp.cos(2.0 * jnp.pi * t / 10.0)

    return jt.jumps.periodic_state(pair(), (hot, 2.0), 10.0).work


def followed(period: float) -> Any:
    """README's ring under the drive of docs/jumps.md."""

    def force(t: Any) -> Any:
        return 1.0 + 0.4 * jnp.cos(2.0 * jnp.pi * t / period)

    return jt.jumps.locking(jt.PottsRing(3, -1.0, force, 0.1), 3.5, period, steps=64).lyapunov


def information(beta: float) -> Any:
    """What ten units of README's ring know of each other."""
    return jt.jumps.multipartite_information(jt.jumps.mesoscopic_stationary(ring(), beta, 10))


def work_of(beta: Any) -> Any:
    """Stationary work current of README's ring."""
    return jt.potts.stationary(ring(), beta).work_current


def ring_lanes(beta: float) -> Any:
    """Sixty-four rings up to this beta."""
    betas = jnp.linspace(0.0, beta, 64)
    rings = jax.vmap(lambda _: ring())(betas)
    return jt.potts.stationary_lanes(rings, betas).work_current


def cubes(beta: float) -> Any:
    """The trajectories of docs/lattices.md."""
    cube = jt.jumps.cubic_lattice([6, 6, 6])
    return jt.jumps.simulate_lattice(ring(), beta, cube, np.arange(0.0, 60.1, 2.0), 8, jax.random.key(0)).work


def cooling(rate: float) -> Any:
    """README's quantum particle while it is cooled, from equilibrium."""
    return jt.drive(shallow(), beta=lambda t: 1.0 - rate * t, x=1.0, ts=np.linspace(0.0, 5.0, 21)).work


def cycle_work(strength: Any) -> Any:
    """Work of README's cycle at this coupling, by fixed steps, to be differentiated in reverse mode."""
    made = jt.classical_oscillator(jt.Polynomial(QUARTIC), strength, readme_grid())
    return jt.run_cycle(made, engine(0.5), 1e-8, points=10, steps=1).work


def minimum() -> Verb:
    """README's search for the potential of a state out of equilibrium."""
    particle = classical(jt.PhaseGrid(5.6, 0.35, 9.8, 0.7))
    start = jt.equilibrium(particle, beta=0.7, x=0.3)
    return lambda beta: jt.minimum_work(particle, start, beta=beta, x=0.8, order=2, dt=0.25).value


def ramp() -> Verb:
    """The ramp of docs/minimum_work.md that has an exact answer."""
    harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), strength=1.0)

    def found(duration: float) -> Any:
        return jt.optimal_ramp(harmonic, 1.0, 0.0, 1.0, duration=duration, order=0, jumps=True).work

    return found


def counted() -> Verb:
    """The variance of the work of a classical ramp that has run."""
    times = np.linspace(0.0, 1.5, 4)
    run = jt.drive(classical(), 1.0, jt.Ramp(1.0, 0.0, 0.0, 1.5), times, keep_states=True)
    return lambda field: jt.work_fluctuations(run, [field]).variance


def best_load(beta: float) -> Any:
    """README's maximum of the output power."""
    return jt.potts.maximum_power(q=3, coupling=-1.0, prefactor=0.1, forward_force=1.0, beta=beta).power


def turn_program(oscillator: Any, steps: int) -> Program:
    """One stationary cycle."""
    made = dataclasses.replace(oscillator, grid=readme_grid())
    return lambda cycle: jt.run_cycle(made, cycle, 1e-8, points=10, steps=steps).work, (engine(0.5),)


def at(value: float, function: Callable[[Any], Any]) -> Callable[[], Program]:
    """A function of one number as a program."""
    return lambda: (function, (jnp.asarray(value),))


CASES = {
    "potts.stationary": Case(lambda: work_of, 4.0, 3.8, (2.5, 0.1, 1.5), at(4.0, work_of)),
    "potts.stationary, gradient": Case(
        lambda: jax.grad(work_of), 4.0, 3.8, (5.0, 0.1, 1.5), at(4.0, jax.grad(work_of))
    ),
    "potts.limit_cycle": Case(
        lambda: lambda beta: jt.potts.limit_cycle(ring(), beta).work_current,
        4.0,
        3.8,
        (5.0, 0.5, 1.5),
        at(4.0, lambda beta: jt.potts.limit_cycle(ring(), beta).work_current),
    ),
    "potts.maximum_power(beta=2)": Case(lambda: best_load, 2.0, 2.2, (5.0, 0.5, 1.5)),
    "potts.stationary_lanes of 64": Case(lambda: ring_lanes, 10.0, 9.0, (5.0, 1.0, 1.5)),
    "jumps.housekeeping": Case(
        lambda: lambda beta: jt.jumps.housekeeping(jt.jumps.evolve(ring(), beta, None, TIMES)).excess,
        2.0,
        1.9,
        (4.0, 0.1, 1.5),
    ),
    "jumps.mesoscopic_affinities of 10": Case(
        lambda: lambda beta: jt.jumps.mesoscopic_affinities(ring(), beta, 10).affinity, 2.0, 1.9, (4.0, 0.1, 1.5)
    ),
    "jumps.simulate_lattice of 8 x 6^3": Case(lambda: cubes, 3.6, 3.5, (4.0, 0.5, 1.5)),
    "jumps.periodic_state": Case(lambda: swinging, 0.2, 0.1, (4.0, 1.5, 1.5)),
    "jumps.locking": Case(lambda: followed, 5.4, 5.0, (4.0, 1.5, 1.5)),
    "jumps.linear_noise": Case(
        lambda: lambda beta: jt.jumps.linear_noise(ring(), beta).phase_diffusion, 3.5, 3.6, (6.0, 0.5, 2.0)
    ),
    "jumps.fold": Case(
        lambda: lambda energy: jt.jumps.fold(jt.JumpNetwork([(0, 1)], [0.0, energy], -2.0), 4.0, [0.01, 0.99]).beta,
        0.4,
        0.3,
        (4.0, 0.1, 1.5),
    ),
    "jumps.branch": Case(
        lambda: (
            lambda energy: (
                jt.jumps.branch(
                    jt.JumpNetwork([(0, 1)], [0.0, energy], -2.0), 4.0, [0.01, 0.99], low=1.0, high=4.5
                ).occupation
            )
        ),
        0.4,
        0.3,
        (4.0, 0.5, 1.5),
    ),
    "jumps.cumulants of 10, bounds": Case(
        lambda: lambda hot: jt.bounds(jt.jumps.cumulants(pair(), [hot, 2.0], 10)).slack, 0.5, 0.6, (4.0, 0.1, 1.5)
    ),
    "jumps.coherence of 10": Case(
        lambda: lambda beta: jt.jumps.coherence(ring(), beta, 10).quality_factor, 4.0, 4.5, (4.0, 0.1, 1.5)
    ),
    "jumps.cycle_affinities": Case(
        lambda: lambda beta: jt.jumps.cycle_affinities(ring(), beta, [1 / 3, 1 / 3, 1 / 3]).affinity,
        2.0,
        2.5,
        (4.0, 0.1, 1.5),
    ),
    "jumps.multipartite_information of 10": Case(lambda: information, 2.0, 2.5, (4.0, 0.1, 1.5)),
    "jumps.contraction": Case(
        lambda: lambda beta: jt.jumps.contraction(0.0, jnp.array([0.5, 0.3, 0.2]), ring(), beta),
        2.0,
        2.5,
        (4.0, 0.1, 1.5),
    ),
    "jumps.mesoscopic_evolve of 10": Case(
        lambda: lambda hot: jt.jumps.mesoscopic_evolve(pair(), [hot, 2.0], 10, [10, 0], [0.0, 1.0]).work,
        0.5,
        0.6,
        (4.0, 0.5, 1.5),
    ),
    "jumps.scaled_cumulant of 10": Case(
        lambda: lambda hot: jt.jumps.scaled_cumulant(pair(), [hot, 2.0], 10, [-0.5, 0.5]).scaled_cumulant,
        0.5,
        0.6,
        (4.0, 0.5, 1.5),
    ),
    "jumps.mesoscopic_stationary of 10, conversion": Case(
        lambda: lambda hot: converted(hot).efficiency, 0.5, 0.6, (4.0, 0.1, 1.5)
    ),
    "jumps.simulate of 100 x 10": Case(
        lambda: lambda hot: jt.jumps.simulate(pair(), [hot, 2.0], 10, 5.0, 100, jax.random.key(0)).work,
        0.5,
        0.6,
        (4.0, 0.5, 1.5),
    ),
    "jumps.tau_leap of 100 x 10000": Case(
        lambda: lambda hot: jt.jumps.tau_leap(pair(), [hot, 2.0], 10_000, 5.0, 100, jax.random.key(0)).work,
        0.5,
        0.6,
        (6.0, 0.5, 2.0),
    ),
    "State.from_density_matrix": Case(lambda: mixed, 0.7, 0.6, (4.0, 0.4, 1.5)),
    "State.cat": Case(lambda: cat, 1.5, 1.2, (4.0, 0.4, 1.5)),
    "equilibrium, classical": Case(
        lambda: lambda beta: jt.equilibrium(classical(), beta=beta, x=1.0).X,
        1.0,
        0.8,
        (3.0, 0.1, 1.5),
        at(1.0, lambda beta: jt.equilibrium(classical(readme_grid()), beta=beta, x=1.0).X),
    ),
    "equilibrium, quantum": Case(
        lambda: lambda beta: jt.equilibrium(quantum(), beta=beta, x=1.0).X,
        1.0,
        0.8,
        (4.0, 0.4, 1.5),
        at(1.0, lambda beta: jt.equilibrium(shallow(), beta=beta, x=1.0).X),
    ),
    "drive, quantum": Case(lambda: cooling, 0.05, 0.04, (6.0, 1.0, 1.5)),
    "run_cycle, classical": Case(
        lambda: lambda beta: jt.run_cycle(classical(), engine(beta)).work,
        0.5,
        0.6,
        (6.0, 1.0, 1.5),
        lambda: turn_program(classical(), 2),
    ),
    "run_cycle, quantum": Case(
        lambda: lambda beta: jt.run_cycle(quantum(), engine(beta)).work,
        0.5,
        0.6,
        (12.0, 5.0, 3.0),
        lambda: turn_program(shallow(), 2),
    ),
    "run_cycle, Carnot": Case(
        lambda: lambda beta: jt.run_cycle(breathing(), carnot(beta), 1e-4, points=5).work, 0.5, 0.55, (8.0, 3.0, 3.0)
    ),
    "run_cycle, spline": Case(lambda: spline, 0.5, 0.6, (6.0, 1.0, 1.5)),
    "drive, switched baths": Case(lambda: windows, 0.5, 0.6, (10.0, 3.0, 3.0)),
    "optimise_cycle, two steps": Case(lambda: better, 20.0, 24.0, (20.0, 10.0, 10.0)),
    "search.pareto_front, two steps": Case(lambda: front, 20.0, 24.0, (20.0, 20.0, 15.0)),
    "correlation, quantum": Case(
        lambda: lambda beta: jt.correlation(shallow(), beta, 1.0, TIMES).response, 1.0, 0.9, (10.0, 3.0, 3.0)
    ),
    "spectrum, quantum": Case(
        lambda: lambda beta: jt.spectrum(shallow(), beta, 1.0, [0.5, 1.0]).response_real, 1.0, 0.9, (10.0, 5.0, 5.0)
    ),
    "relaxation_rates, quantum": Case(
        lambda: lambda beta: jt.relaxation_rates(shallow(), beta, 1.0).rate, 1.0, 0.9, (15.0, 5.0, 5.0)
    ),
    "isentropic_field": Case(
        lambda: lambda x: jt.isentropic_field(breathing(), 0.5, x, 1.0, (-0.99, 0.0)), -0.5, -0.4, (4.0, 0.4, 1.5)
    ),
    "search.slow_ramp": Case(
        lambda: lambda end: jt.search.slow_ramp(breathing(), 1.0, 0.0, end, 40.0).excess_work,
        2.0,
        1.5,
        (10.0, 5.0, 5.0),
    ),
    "work_fluctuations": Case(counted, 1.0, 1.1, (6.0, 1.0, 1.5)),
    "minimum_work": Case(minimum, 1.0, 0.9, (7.0, 1.0, 1.5)),
    "optimal_ramp": Case(ramp, 5.0, 4.0, (5.0, 1.0, 1.5)),
    "gradient of a cycle": Case(
        lambda: jax.jit(jax.grad(cycle_work)),
        1.0,
        1.1,
        (10.0, 1.0, 1.5),
        at(1.0, jax.grad(cycle_work)),
    ),
}
# CPU seconds of `import jaxthermo` after jax and diffrax.
IMPORT_WANTED = 0.3


def operations(case: Case) -> int:
    """StableHLO operations of the verb's main program, traced and not compiled."""
    assert case.program is not None
    function, arguments = case.program()
    lowered = jax.jit(function).trace(*arguments).lower()
    return count(lowered.as_text())


def count(text: str) -> int:
    """Operations in the text of a StableHLO module."""
    # A line that makes a value begins with its name; others open functions or name places in the source.
    return sum(line.lstrip().startswith("%") and " = " in line for line in text.splitlines())

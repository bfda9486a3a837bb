"""Table 7 of Koyanagi & Tanimura 2024: potentials under mixing of states, for random pairs.

A mixture W = (1 - l) W_A + l W_B at equal beta (and x~) must have (1 - l) Xi_A + l Xi_B <= Xi_l.
Three tests, all classical: of equilibria, Eq. (67), by exact quadrature; of states along both cycles by the information
bound, which is exact and below Xi_neq; of such states by searches for Xi_neq itself.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray

from jaxthermo._status import Status
from jaxthermo.brownian import PeriodicRun, State
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.information import information_planck
from jaxthermo.brownian.quasistatic import QuasiStatic, partition_of
from jaxthermo.papers.engine.data import CYCLES, STRENGTHS, oscillator
from jaxthermo.papers.engine.duals import quasi_static_value
from jaxthermo.papers.engine.runs import run_of
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.tables import markdown
from jaxthermo.search import minimum_work
from jaxthermo.search.potential_range import potential_around

PAIRS, SEARCHED, COARSE_SEARCHED = 200, 200, 3
SEED = 1
# Equilibria of the first test: inverse temperature and fields.
BETAS, FIELDS = (0.4, 2.5), (-1.5, 2.5)
ORDER, STEP = 2, 0.25


def mixing(full: bool, advance: Any = None) -> xarray.Dataset:
    """Slack of the concavity of Xi for each pair, by each test; energies follow with the factor -1/beta."""
    rng = np.random.default_rng(SEED)
    equilibria = _equilibria(rng, PAIRS)
    information, beta = _states(rng, PAIRS, full)
    found, worst = _searched(rng, SEARCHED if full else COARSE_SEARCHED, full, advance)
    variables = {
        "equilibria": ("pair", equilibria[0], "1", "slack of Phi for mixtures of equilibria"),
        "equilibria_beta": ("pair", equilibria[1], "1/energy", "inverse temperature of the pair"),
        "information": ("pair", information, "1", "slack of the information bound of Xi"),
        "information_beta": ("pair", beta, "1/energy", "inverse temperature of the pair"),
        "searched": ("search", found[0], "1", "slack of the Xi that was searched for"),
        "searched_beta": ("search", found[1], "1/energy", "inverse temperature of the pair"),
        "search_error": ((), worst, "1", "largest error of a search from its time step"),
    }
    return labelled(variables, {})


def _equilibria(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Phi_qst(beta, X) is concave in X: pairs of fields at one temperature, mixed by lambda."""
    planck = QuasiStatic(partition_of(oscillator("classical", 1.0)), None)
    beta, share = rng.uniform(*BETAS, size=count), rng.uniform(size=count)
    fields = rng.uniform(*FIELDS, size=(2, count))
    values = [jax.vmap(planck)(beta, x) for x in fields]
    means = [jax.vmap(planck.partition.means)(beta, x)[1] for x in fields]
    massieu = [np.asarray(v - beta * x * X) for v, x, X in zip(values, fields, means, strict=True)]
    mixed = np.asarray((1.0 - share) * means[0] + share * means[1])
    at = {"beta": beta, "x": (1.0 - share) * fields[0] + share * fields[1], "X": mixed}
    return quasi_static_value("massieu", planck, at) - (1.0 - share) * massieu[0] - share * massieu[1], beta


def _picked(rng: np.random.Generator, full: bool) -> tuple[PeriodicRun, int, int, float]:
    """Two times of one cycle, and a share."""
    names = list(CYCLES)
    run = run_of("classical", float(rng.choice(STRENGTHS)), names[int(rng.integers(len(names)))], full)
    first, second = rng.integers(len(run.time), size=2)
    return run, int(first), int(second), float(rng.uniform())


def _states(rng: np.random.Generator, count: int, full: bool) -> tuple[np.ndarray, np.ndarray]:
    slack, betas = np.zeros(count), np.zeros(count)
    for index in range(count):
        run, first, second, share = _picked(rng, full)
        assert run.members is not None
        each = jnp.stack([run.members[first], run.members[second]])
        states = jnp.concatenate([each, ((1.0 - share) * each[:1] + share * each[1:])])
        beta, x = run.beta[first], run.x[first]
        a, b, mixed = (float(value) for value in _information(run.oscillator, states, beta, x))
        slack[index], betas[index] = mixed - (1.0 - share) * a - share * b, float(beta)
    return slack, betas


@jax.jit
def _information(model: Any, states: jax.Array, beta: jax.Array, x: jax.Array) -> jax.Array:
    equation = equation_on(model, model.grid)
    return jax.vmap(lambda V: information_planck(V, equation, beta, x))(states)


def _searched(
    rng: np.random.Generator, count: int, full: bool, advance: Any
) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    slack, betas, worst = np.zeros(count), np.zeros(count), 0.0
    for index in range(count):
        run, first, second, share = _picked(rng, full)
        one, other = (run.state_at(run.time[k]) for k in (first, second))
        mixed = eqx.tree_at(lambda s: s.V, one, (1.0 - share) * one.V + share * other.V)
        beta, x = run.beta[first], run.x[first]
        values = []
        for state in (one, other, mixed):
            value, error = _xi(run, state, beta, x)
            values.append(value)
            worst = max(worst, error)
        a, b, m = values
        slack[index], betas[index] = m - (1.0 - share) * a - share * b, float(beta)
        if advance is not None:
            advance(1)
    return (slack, betas), worst


def _xi(run: PeriodicRun, state: State, beta: Any, x: Any) -> tuple[float, float]:
    potential = potential_around(run.oscillator, beta, x)
    found = minimum_work(run.oscillator, state, beta, x, ORDER, dt=STEP, potential=potential)
    known = int(found.status) == int(Status.ok)
    return (float(found.value) if known else float("nan")), float(found.error)


HEADER = ["potential", "condition", "equilibria, Eq. (67)", "information bound", "searched"]
ROWS = (
    ("Massieu: (1-l) Phi_A + l Phi_B <= Phi_l", "equal beta", False),
    ("Planck: (1-l) Xi_A + l Xi_B <= Xi_l", "equal beta, x~", False),
    ("Helmholtz: (1-l) F_A + l F_B >= F_l", "equal beta", True),
    ("Gibbs: (1-l) G_A + l G_B >= G_l", "equal beta, x", True),
)


def text(data: xarray.Dataset) -> str:
    """The smallest slack of each row of Table 7 over all pairs."""
    lines = []
    for words, condition, energy in ROWS:
        cells = []
        for test in ("equilibria", "information", "searched"):
            values = data[test] / data[f"{test}_beta"] if energy else data[test]
            cells.append(f"{float(values.min()):.2e}")
        if "x" in condition:
            # A mixture of two equilibria of other fields is no equilibrium.
            cells[0] = ""
        lines.append([words, condition, *cells])
    counts = f"{data.sizes['pair']} random pairs for the first two, {data.sizes['search']} for the searches"
    note = (
        f"Smallest slack over {counts}; errors of the searches up to {float(data.search_error):.0e}. At equal beta and "
        "x~ all four say the same of a pair, up to the factor 1/beta, since X and U are linear in the state."
    )
    return f"{markdown('Table 7: mixing of states', HEADER, lines)}\n{note}\n"

"""Table 7 of Koyanagi & Tanimura 2024: potentials under mixing of states, for random pairs.

A mixture W = (1 - l) W_A + l W_B at equal beta (and x~) must have (1 - l) Xi_A + l Xi_B <= Xi_l.
Three tests, all classical: of equilibria, Eq. (67), by exact quadrature; of states along both cycles by the information
bound, which is exact and below Xi_neq; of such states by searches for Xi_neq itself.
"""

from typing import Any

import jax
import numpy as np
import xarray

from jaxthermo._status import Status
from jaxthermo.brownian import PeriodicRun
from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic, partition_of
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.states.information import information_planck
from jaxthermo.checks import as_float
from jaxthermo.papers.engine.data import CYCLES, STRENGTHS, oscillator
from jaxthermo.papers.engine.duals import quasi_static_value
from jaxthermo.papers.engine.runs import run_of
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.tables import markdown
from jaxthermo.search.least_work import steps_of
from jaxthermo.search.many_searches import searched
from jaxthermo.search.potential_range import potential_around

PAIRS, SEARCHED, COARSE_SEARCHED = 200, 200, 3
SEED = 1
# Equilibria of the first test: inverse temperature and fields.
BETAS, FIELDS = (0.4, 2.5), (-1.5, 2.5)
# Those of the searches of a first look along the cycles, whose programs these use.
HORIZON, ORDER, STEP = 1.0, 2, 0.25


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
    values, means = zip(*(_known(planck, beta, x) for x in fields), strict=True)
    massieu = [np.asarray(v - beta * x * X) for v, x, X in zip(values, fields, means, strict=True)]
    mixed = np.asarray((1.0 - share) * means[0] + share * means[1])
    at = {"beta": beta, "x": (1.0 - share) * fields[0] + share * fields[1], "X": mixed}
    return quasi_static_value("massieu", planck, at) - (1.0 - share) * massieu[0] - share * massieu[1], beta


@jax.jit
def _known(planck: QuasiStatic, beta: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Xi and <X> of the equilibria."""
    return jax.vmap(planck)(beta, x), jax.vmap(planck.partition.means)(beta, x)[1]


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
        beta, x = (float(series[first]) for series in (run.beta, run.x))
        a, b, mixed = np.asarray(_information(run.oscillator, _mixed(run, first, second, share), beta, x))
        slack[index], betas[index] = mixed - (1.0 - share) * a - share * b, beta
    return slack, betas


def _mixed(run: PeriodicRun, first: int, second: int, share: float) -> np.ndarray:
    """Two states of a run and their mixture."""
    assert run.members is not None
    members = np.asarray(run.members)
    return np.stack([members[first], members[second], (1.0 - share) * members[first] + share * members[second]])


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
        states = _mixed(run, first, second, share)
        beta, x = (np.full(3, float(series[first])) for series in (run.beta, run.x))
        # The program of the searches along a cycle serves these too.
        settings = (
            potential_around(run.oscillator, beta, x),
            as_float(HORIZON),
            ORDER,
            False,
            steps_of(HORIZON, STEP),
        )
        found = searched(run.oscillator, settings, states, beta, x)
        a, b, mixed = np.where(found.status == int(Status.ok), found.value, np.nan)
        slack[index], betas[index] = mixed - (1.0 - share) * a - share * b, beta[0]
        worst = max(worst, float(found.error.max()))
        if advance is not None:
            advance(1)
    return (slack, betas), worst


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
    missing = int(data.searched.isnull().sum())
    without = f"; {missing} of these have no verdict, since one of their three searches is not ok" if missing else ""
    note = (
        f"Smallest slack over {counts}{without}; errors of the searches up to {float(data.search_error):.0e}. At equal "
        "beta and x~ all four say the same of a pair, up to the factor 1/beta, since X and U are linear in the state."
    )
    return f"{markdown('Table 7: mixing of states', HEADER, lines)}\n{note}\n"

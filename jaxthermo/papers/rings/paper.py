"""Reproduction of Herpich & Esposito, "Universality in driven Potts models", Phys. Rev. E 99, 022135 (2019)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

from jaxthermo.papers import claims
from jaxthermo.papers.plan import Advance, Data, Job, Product
from jaxthermo.papers.reproduction import Paper, figure_product, text_product
from jaxthermo.papers.rings import claims_dynamics, claims_work, data, facts, figures, large_q, levels, table, unequal
from jaxthermo.papers.rings.lanes import PARAMETERS
from jaxthermo.papers.rings.numbers import ByQ, RingNumbers
from jaxthermo.papers.tables import markdown
from jaxthermo.provenance import provenance

NAME = "potts"
TITLE = "Herpich & Esposito 2019, driven Potts models"
NOTE = (
    "Mean-field rings of q states, u = -1, prefactor 0.1, from the start P_1 = 1 unless a caption says otherwise; "
    "k_B = 1, energies in units of 1/beta, everything per unit of the ring."
)
BETA_MAX = 10.0


@dataclass(frozen=True)
class Scope:
    """Which q, and how fine."""

    portraits: tuple[int, ...]
    work: tuple[int, ...]
    landscapes: tuple[int, ...]
    optima: tuple[int, ...]
    followed: tuple[int, ...]
    formed: tuple[int, ...]
    units: tuple[int, ...]
    work_points: int
    landscape_points: tuple[int, int]
    unequal: tuple[np.ndarray, np.ndarray]


FULL = Scope(
    (3, 4, 5, 6), (2, 3, 4, 5, 6, 7), (4, 5), tuple(range(2, 10)), large_q.FOLLOWED, facts.FORMED, levels.UNITS, 201,
    (60, 48), unequal.FULL,
)  # fmt: skip
COARSE = Scope(
    (3, 4, 5, 6), (2, 3, 4, 5, 6, 7), (4, 5), (2, 3, 4, 5), large_q.COARSE_FOLLOWED, facts.COARSE_FORMED,
    levels.COARSE_UNITS, 41, (20, 16), unequal.COARSE,
)  # fmt: skip
Make = Callable[[Advance], xarray.Dataset]


class Jobs:
    """The calculations; those of one q share their compiled search."""

    def __init__(self, scope: Scope):
        points, loads = scope.landscape_points
        betas = np.linspace(0.0, BETA_MAX, scope.work_points)
        # Midpoints of cells, since the power is zero at beta = 0, f2 = 0 and f2 = -1, and beta_c1 = q decides slowly.
        axes = BETA_MAX * _midpoints(points), -_midpoints(loads)[::-1]
        lanes = scope.work_points + 20
        few = len(data.PORTRAIT_BETAS[3])
        self.portraits = {q: _job("fig1", q, 12.0, few, lambda a, q=q: data.portraits(q, a)) for q in scope.portraits}
        self.work = {
            q: _job("fig2", q, 8.0, lanes, lambda a, q=q: data.work(q, betas, a), points=scope.work_points)
            for q in scope.work
        }
        self.landscapes = {
            q: _job("fig3", q, 6.0, points * loads, lambda a, q=q: data.landscape(q, *axes, a), points=[points, loads])
            for q in scope.landscapes
        }
        self.optima = {q: _job("fig4", q, 30.0, 1, lambda a, q=q: data.optimum(q)) for q in scope.optima}
        self.followed = {
            q: _job("followed", q, 9.0, 10, lambda a, q=q: large_q.noninteracting(q, a)) for q in scope.followed
        }
        spreads, cold = scope.unequal
        count = len(spreads) * len(cold) * unequal.Q
        self.unequal = _job(
            "unequal", unequal.Q, 6.0, count, lambda a: unequal.attractors_of_unequal(spreads, cold, a),
            points=[spreads.tolist(), cold.tolist()],
        )  # fmt: skip
        self.levels = _alone("levels", 12.0, lambda a: levels.stationary_levels(scope.units), units=scope.units)
        self.relaxation = _alone("relaxation", 12.0, lambda a: levels.relaxation())
        self.growth = _alone("growth", 2.0, lambda a: large_q.growth())
        self.closed = _alone("closed_forms", 4.0, lambda a: facts.closed_forms())
        self.laws = _alone("laws", 6.0, lambda a: facts.laws())
        self.forms = _alone("normal_forms", 10.0, lambda a: facts.forms(scope.formed), states=scope.formed)

    def facts(self) -> list[Job]:
        """What the facts' table needs."""
        return [self.closed, self.laws, self.forms]

    def all(self) -> list[Job]:
        """Every job."""
        many = [self.portraits, self.work, self.landscapes, self.optima, self.followed]
        single = [self.unequal, self.levels, self.relaxation, self.growth, *self.facts()]
        return [*(job for by_q in many for job in by_q.values()), *single]

    def numbers(self, found: Data) -> RingNumbers:
        """The datasets by what they are."""
        many = ("portraits", "work", "landscapes", "optima", "followed")
        single = ("levels", "relaxation", "unequal", "growth", "closed", "laws", "forms")
        return RingNumbers(
            **{name: _by_q(getattr(self, name), found) for name in many},
            **{name: found[getattr(self, name).name] for name in single},
        )


def products(full: bool) -> list[Product]:
    """Figures and tables in the paper's order."""
    return products_of(FULL if full else COARSE)


def products_of(scope: Scope) -> list[Product]:
    """Figures and tables for any scope."""
    jobs = Jobs(scope)

    def listed(*by_q: dict[int, Job]) -> list[Job]:
        return [job for one in by_q for job in one.values()]

    return [
        figure_product(
            "potts_fig1", "Fig. 1: portraits",
            "Trajectories from P_1 = 1 in the plane of P_1 and P_2, and the attractors they reach; Eq. (1), f = 1. The "
            "values of beta are ours: those of the paper's legends are lost in its text.",
            listed(jobs.portraits), lambda d: figures.portraits(_by_q(jobs.portraits, d)),
        ),
        figure_product(
            "potts_fig2", "Fig. 2: work saved by attraction",
            "W_1 - W, and W/W_1, against beta at f = 1. The paper's points beta = 0, 1, .., 10 are marked. At beta_c1 = q "
            "and at the fold of the localised states no trajectory decides; the open circles there are the limits from "
            "either side.",
            listed(jobs.work), lambda d: figures.work(_by_q(jobs.work, d)),
        ),
        figure_product(
            "potts_fig3", "Fig. 3: output power over load and temperature",
            "|P| over f2 and beta, f1 = 1, with the transitions and the global maximum. For q = 4 the maximum is the limit "
            "at beta_c1 from the cold side. The paper reads a rapid drop of the power for beta > beta_c; for q = 4 ours "
            "stays flat up to 5.2, as the units fill every second state there.",
            listed(jobs.landscapes) + [jobs.optima[q] for q in scope.landscapes if q in jobs.optima],
            lambda d: figures.landscapes(_by_q(jobs.landscapes, d), _by_q(jobs.optima, d)),
        ),
        figure_product(
            "potts_fig4", "Fig. 4: largest power and its efficiency against q",
            "Global maxima over f2 and beta, f1 = 1, with those that lie on an edge computed as limits. The paper shows "
            "q = 2..6. The efficiency has its staircase; the power has larger relative steps into odd q but no plateaus.",
            listed(jobs.optima), lambda d: figures.optima(_by_q(jobs.optima, d)),
        ),
        figure_product(
            "potts_unequal", "Sec. III: states of different energy",
            "The claim that the phases survive slight changes of the energies, and that large ones leave a single stable "
            "fixed point: attractors from every localised start over the spread of the energies and beta; q = 3, f = 1.",
            [jobs.unequal], lambda d: unequal.draw(d[jobs.unequal.name]),
        ),
        figure_product(
            "potts_large_q", "Sec. III: large q",
            "The claim that interactions do nothing in a range of temperatures that grows with q: (a) growth of the fastest "
            "perturbation of the uniform state, exact; (b) beta_c1 = q, and rings that were followed below it.",
            [jobs.growth, *listed(jobs.followed)],
            lambda d: large_q.draw(d[jobs.growth.name], _by_q(jobs.followed, d)),
        ),
        text_product(
            "potts_levels", "Apps. A, B: three levels of description",
            "Identities B3 to B16 for single units, occupation numbers and the mean field, and the approach to the latter.",
            [jobs.levels, jobs.relaxation], lambda d: levels.text(d[jobs.levels.name], d[jobs.relaxation.name]),
        ),
        text_product(
            "potts_facts", "Sec. III: closed forms", "The paper's formulas beside the library's own, q = 2..9.",
            jobs.facts(), lambda d: table.facts_text(*(d[job.name] for job in jobs.facts())),
        ),
        text_product(
            "potts_table", "Numbers", "Every number of Figs. 2 and 4 beside the exact one or the paper's.",
            listed(jobs.work, jobs.optima),
            lambda d: markdown(
                "Numbers", table.ROW_HEADER,
                [row.cells() for row in table.rows(_by_q(jobs.work, d), _by_q(jobs.optima, d))],
            ),
        ),
        text_product(
            "potts_statements", "What the paper says", "Every claim of abstract, text and conclusions, judged by numbers.",
            jobs.all(),
            lambda d: claims.table("Statements", NAME, CLAIMS, jobs.numbers(d)),
        ),
    ]  # fmt: skip


CLAIMS = (*claims_dynamics.CLAIMS, *claims_work.CLAIMS)
PAPER = Paper(NAME, TITLE, NOTE, products)


def _job(figure: str, q: int, cost: float, lanes: int, make: Any, **settings: Any) -> Job:
    """A calculation for one q."""
    known = {**PARAMETERS, "q": q, "beta_max": BETA_MAX, **settings}

    def labelled(advance: Advance) -> xarray.Dataset:
        return make(lambda count: advance(count / lanes)).assign_attrs(provenance(known))

    # A lane costs the more the larger q is; compiling costs alike.
    weight = cost + 0.002 * q * lanes
    return Job(f"potts {figure}, q = {q}", f"potts_{figure}.zarr", f"q{q}", known, labelled, weight, f"q{q}")


def _alone(name: str, cost: float, make: Make, **settings: Any) -> Job:
    """A calculation that no other is like."""
    known = {**PARAMETERS, **settings}

    def labelled(advance: Advance) -> xarray.Dataset:
        return make(advance).assign_attrs(provenance(known))

    return Job(f"potts {name}", f"potts_{name}.zarr", "all", known, labelled, cost)


def _by_q(jobs: dict[int, Job], found: Data) -> ByQ:
    return {q: found[job.name] for q, job in jobs.items() if job.name in found}


def _midpoints(count: int) -> np.ndarray:
    """Centres of `count` equal cells of (0, 1)."""
    return (np.arange(count) + 0.5) / count

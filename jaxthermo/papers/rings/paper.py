"""Reproduction of Herpich & Esposito, "Universality in driven Potts models", Phys. Rev. E 99, 022135 (2019)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray
from matplotlib.figure import Figure

from jaxthermo.papers import claims
from jaxthermo.papers.plan import Advance, Data, Job, Product
from jaxthermo.papers.reproduction import Paper, figure_product, text_product
from jaxthermo.papers.rings import (
    claims_dynamics,
    claims_levels,
    claims_power,
    claims_work,
    data,
    facts,
    figures,
    large_q,
    levels,
    table,
    unequal,
)
from jaxthermo.papers.rings.captions import TEXTS
from jaxthermo.papers.rings.lanes import PARAMETERS
from jaxthermo.papers.rings.numbers import ByQ, RingNumbers
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
    (3, 4, 5, 6), (2, 3, 4, 5, 6, 7), (4, 5), (2, 3, 4), large_q.COARSE_FOLLOWED, facts.COARSE_FORMED,
    levels.COARSE_UNITS, 31, (20, 16), unequal.COARSE,
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
        self.portraits = {
            q: _job("fig1", q, 6.0, few, lambda a, q=q: data.portraits(q, a), betas=data.PORTRAIT_BETAS[q])
            for q in scope.portraits
        }
        self.work = {
            q: _job("fig2", q, 8.0, lanes, lambda a, q=q: data.work(q, betas, a), points=scope.work_points)
            for q in scope.work
        }
        self.landscapes = {
            q: _job("fig3", q, 12.0, points * loads, lambda a, q=q: data.landscape(q, *axes, a), points=[points, loads])
            for q in scope.landscapes
        }
        self.optima = {
            q: _job("fig4", q, 5.0 if q < 4 else 35.0, 1, lambda a, q=q: data.optimum(q)) for q in scope.optima
        }
        self.followed = {
            q: _job("followed", q, 9.0, 10, lambda a, q=q: large_q.noninteracting(q, a)) for q in scope.followed
        }
        spreads, cold = scope.unequal
        count = len(spreads) * len(cold) * unequal.Q
        self.unequal = _job(
            "unequal", unequal.Q, 6.0, count, lambda a: unequal.attractors_of_unequal(spreads, cold, a),
            points=[spreads.tolist(), cold.tolist()],
        )  # fmt: skip
        self.levels = _alone(
            "levels", 8.0 * len(scope.units), lambda a: levels.stationary_levels(scope.units), units=scope.units
        )
        self.relaxation = _alone("relaxation", 7.0, lambda a: levels.relaxation())
        self.growth = _alone("growth", 4.0, lambda a: large_q.growth())
        self.closed = _alone("closed_forms", 7.0, lambda a: facts.closed_forms())
        self.laws = _alone("laws", 6.0, lambda a: facts.laws())
        self.forms = _alone("normal_forms", 4.0, lambda a: facts.forms(scope.formed), states=scope.formed)

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
        given: dict[str, Any] = {name: found[getattr(self, name).name] for name in single}
        given |= {name: {q: found[job.name] for q, job in getattr(self, name).items()} for name in many}
        return RingNumbers(**given)


def products(full: bool) -> list[Product]:
    """Figures and tables in the paper's order."""
    return products_of(FULL if full else COARSE)


def products_of(scope: Scope) -> list[Product]:
    """Figures and tables for any scope."""
    jobs = Jobs(scope)

    def figure(item: str, needs: list[Job], draw: Callable[[Data], Figure]) -> Product:
        return figure_product(f"{NAME}_{item}", *TEXTS[item], needs, draw)

    def text(item: str, needs: list[Job], words: Callable[[Data], str]) -> Product:
        return text_product(f"{NAME}_{item}", *TEXTS[item], needs, words)

    def of(by_q: dict[int, Job], found: Data) -> ByQ:
        return {q: found[job.name] for q, job in by_q.items()}

    shown = {q: jobs.optima[q] for q in scope.landscapes if q in jobs.optima}
    return [
        figure("fig1", [*jobs.portraits.values()], lambda d: figures.portraits(of(jobs.portraits, d))),
        figure("fig2", [*jobs.work.values()], lambda d: figures.work(of(jobs.work, d))),
        figure(
            "fig3",
            [*jobs.landscapes.values(), *shown.values()],
            lambda d: figures.landscapes(of(jobs.landscapes, d), of(shown, d)),
        ),
        figure("fig4", [*jobs.optima.values()], lambda d: figures.optima(of(jobs.optima, d))),
        figure("unequal", [jobs.unequal], lambda d: unequal.draw(d[jobs.unequal.name])),
        figure(
            "large_q",
            [jobs.growth, *jobs.followed.values()],
            lambda d: large_q.draw(d[jobs.growth.name], of(jobs.followed, d)),
        ),
        text(
            "levels",
            [jobs.levels, jobs.relaxation],
            lambda d: levels.text(d[jobs.levels.name], d[jobs.relaxation.name]),
        ),
        text("facts", jobs.facts(), lambda d: table.facts_text(*(d[job.name] for job in jobs.facts()))),
        text(
            "table",
            [*jobs.work.values(), *jobs.optima.values()],
            lambda d: table.text(of(jobs.work, d), of(jobs.optima, d)),
        ),
        text("statements", jobs.all(), lambda d: claims.table("Statements", NAME, CLAIMS, jobs.numbers(d))),
    ]


CLAIMS = (*claims_dynamics.CLAIMS, *claims_work.CLAIMS, *claims_power.CLAIMS, *claims_levels.CLAIMS)
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


def _midpoints(count: int) -> np.ndarray:
    """Centres of `count` equal cells of (0, 1)."""
    return (np.arange(count) + 0.5) / count

"""Reproduction of Koyanagi & Tanimura, J. Chem. Phys. 161, 114113 (2024): the thermostatic Stirling engine."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import xarray
from matplotlib.figure import Figure

from jaxthermo.papers import claims
from jaxthermo.papers.engine import (
    carnot,
    claims_engine,
    claims_entropy,
    claims_theory,
    ensemble_report,
    figures,
    inequalities,
    pairs,
    quasi_static,
    relations,
    runs,
    tables,
)
from jaxthermo.papers.engine.captions import texts
from jaxthermo.papers.engine.data import (
    CYCLES,
    DEPTH,
    FINE_DEPTH,
    KINDS,
    LABELS,
    POLES,
    STRENGTHS,
)
from jaxthermo.papers.engine.numbers import Case, Cases, EngineNumbers
from jaxthermo.papers.plan import Advance, Data, Job, Product
from jaxthermo.papers.reproduction import Paper, figure_product, text_product
from jaxthermo.provenance import provenance

NAME = "stirling"
TITLE = "Koyanagi & Tanimura 2024, thermostatic Stirling engine"
NOTE = (
    "The schedules beta(t), x(t) of the paper's Fig. 2 are known only as a picture. Everything is shown for two "
    "cycles: one of our own, and one inferred from the six works of Table 4; neither is the paper's. One equation (the "
    "quantum noise has the symmetric memory, C(t, t') ~ T(t) T(t')) and one mesh serve all figures. U = 0.1 q^2 + "
    "0.02 q^3 + 0.05 q^4; hbar = m = k_B = 1."
)
# Rough seconds of a cycle, of its searches, of mixtures, of one quasi-static state by poles.
RUN, SEARCH = {"classical": 5.0, "quantum": 13.0}, {"classical": 11.0, "quantum": 150.0}
MIXING, FULL_MIXING = 40.0, 600.0
STATIC = {None: 0.1, 1: 3.0, 2: 5.0, 3: 10.0}
COLOURS = r"Strokes in the paper's colours; period $\tau=20$. The paper's own schedules are known as a picture only."


@dataclass(frozen=True)
class Scope:
    """Which cases, and how fine."""

    full: bool
    searched: tuple[Case, ...]
    couplings: tuple[float, ...]
    poles: tuple[int | None, ...]
    nodes: int


EVERY = tuple((cycle, kind, a) for cycle in CYCLES for kind in KINDS for a in STRENGTHS)
FULL = Scope(True, EVERY, quasi_static.COUPLINGS, quasi_static.POLES, quasi_static.NODES)
# The table of a quantum potential takes minutes: a first look does without.
COARSE = Scope(
    False, (*(("own", "classical", a) for a in STRENGTHS), ("inferred", "classical", 1.0)),
    quasi_static.COARSE_COUPLINGS, quasi_static.COARSE_POLES, quasi_static.COARSE_NODES,
)  # fmt: skip


class Jobs:
    """The calculations; those of one kind share their compiled programs."""

    def __init__(self, scope: Scope):
        self.full = full = scope.full
        self.cycles = {case: _case("run", case, full, RUN, runs.cycle_of) for case in EVERY}
        self.searched = {case: _case("potentials", case, full, SEARCH, runs.potentials_of) for case in scope.searched}
        self.static = {poles: _static(poles, scope) for poles in scope.poles}
        # They use the runs and programs of classical cycles.
        self.mixing = _alone("mixing", FULL_MIXING if full else MIXING, full, lambda a: pairs.mixing(full), "classical")
        self.slower = _alone("slower", 4.0, full, lambda a: runs.entropy_when_slower(1.5, full), "classical")
        self.carnot = _alone("carnot", 4.0, full, lambda a: carnot.efficiencies())
        self.paper_mesh = {case: _case("paper_mesh", case, full, RUN, _papers_mesh) for case in EVERY if full}

    def slacks(self, found: Data, full: bool) -> Cases:
        """Slacks of the inequalities, which cost little once the potentials are known."""
        return {case: inequalities.slacks(found[job.name], full) for case, job in self.searched.items()}

    def all(self) -> list[Job]:
        """Every job that claims need."""
        many = (self.cycles, self.searched, self.static, self.paper_mesh)
        return [*itertools.chain(*(jobs.values() for jobs in many)), self.mixing, self.slower, self.carnot]

    def numbers(self, found: Data, full: bool) -> EngineNumbers:
        """The datasets by what they are."""
        return EngineNumbers(
            cycles={case: found[job.name] for case, job in self.cycles.items()},
            searched={case: found[job.name] for case, job in self.searched.items()},
            slacks=self.slacks(found, full),
            mixing=found[self.mixing.name],
            static={poles: found[job.name] for poles, job in self.static.items()},
            slower=found[self.slower.name],
            carnot=found[self.carnot.name],
            paper_mesh={case: found[job.name] for case, job in self.paper_mesh.items()},
        )


def products(full: bool) -> list[Product]:
    """Figures and tables in the paper's order."""
    return products_of(FULL if full else COARSE)


def products_of(scope: Scope) -> list[Product]:
    """Figures and tables for any scope."""
    jobs, full = Jobs(scope), scope.full
    words = texts(full)

    def text(item: str, needs: Iterable[Job], written: Callable[[Data], str]) -> Product:
        return text_product(f"{NAME}_{item}", *words[item], [*needs], written)

    def named(cases: dict[Case, Job], found: Data) -> Cases:
        return {case: found[job.name] for case, job in cases.items()}

    every, searched = jobs.cycles.values(), jobs.searched.values()
    return [
        figure_product(
            f"{NAME}_fig2",
            *words["fig2"],
            [],
            lambda d: figures.protocol({n: make() for n, make in CYCLES.items()}, COLOURS),
        ),
        # Each figure of the one cycle, then of the other.
        *itertools.chain(*zip(*(_of_cycle(jobs, words, cycle) for cycle in CYCLES), strict=True)),
        figure_product(
            f"{NAME}_quasi_static",
            *words["quasi_static"],
            [*jobs.static.values()],
            lambda d: quasi_static.draw({poles: d[job.name] for poles, job in jobs.static.items()}),
        ),
        text(
            "table4",
            [*every, *jobs.paper_mesh.values()],
            lambda d: tables.works(named(jobs.cycles, d), named(jobs.paper_mesh, d)),
        ),
        figure_product(f"{NAME}_cycles", *words["cycles"], [], lambda d: ensemble_report.draw()),
        text("others", [], lambda d: ensemble_report.text()),
        text("relations", searched, lambda d: relations.text(named(jobs.searched, d))),
        text("mixing", [jobs.mixing], lambda d: pairs.text(d[jobs.mixing.name])),
        text("inequalities", searched, lambda d: inequalities.text(jobs.slacks(d, full))),
        figure_product(f"{NAME}_carnot", *words["carnot"], [jobs.carnot], lambda d: carnot.draw(d[jobs.carnot.name])),
        text("slower", [jobs.slower], lambda d: tables.slower(d[jobs.slower.name])),
        text("statements", jobs.all(), lambda d: claims.table("Statements", NAME, CLAIMS, jobs.numbers(d, full))),
    ]


def _of_cycle(jobs: Jobs, words: dict[str, tuple[str, str]], cycle: str) -> list[Product]:
    """Figs. 3, 4, 5 and 10 of one cycle."""
    schedule, more = CYCLES[cycle](), "" if cycle == "own" else f"_{cycle}"
    text = figures.describe(schedule, LABELS[cycle], FINE_DEPTH if jobs.full else DEPTH)
    runs_of = {case[1:]: job for case, job in jobs.cycles.items() if case[0] == cycle}
    searched_of = {case[1:]: job for case, job in jobs.searched.items() if case[0] == cycle}
    every, searched = [*runs_of.values()], [*searched_of.values()]

    def of(cases: dict[tuple[str, float], Job], found: Data) -> figures.Cases:
        return {case: found[job.name] for case, job in cases.items()}

    def figure(item: str, needs: list[Job], draw: Callable[[Data], Figure]) -> Product:
        return figure_product(f"{NAME}_{item}{more}", *words[f"{item}{more}"], needs, draw)

    return [
        figure("fig3", every, lambda d: figures.work_diagrams(of(runs_of, d), schedule, text)),
        figure("fig4", searched, lambda d: figures.entropies(of(searched_of, d), schedule, text)),
        figure("fig5", every + searched, lambda d: figures.energies(of(runs_of, d), of(searched_of, d), text)),
        figure("fig10", searched, lambda d: figures.planck_differences(of(searched_of, d), text)),
    ]


CLAIMS = (*claims_theory.CLAIMS, *claims_engine.CLAIMS, *claims_entropy.CLAIMS)
PAPER = Paper(NAME, TITLE, NOTE, products)


def _papers_mesh(kind: str, strength: float, cycle: str, full: bool) -> xarray.Dataset:
    return runs.work_on_the_papers_mesh(kind, strength, cycle)


def _case(
    what: str, case: Case, full: bool, costs: dict[str, float], make: Callable[[str, float, str, bool], xarray.Dataset]
) -> Job:
    """A calculation for one cycle, kind and coupling."""
    cycle, kind, strength = case
    settings = {"what": what, **runs.settings_of(kind, strength, cycle, full)}

    def labelled(advance: Advance) -> xarray.Dataset:
        data = make(kind, strength, cycle, full)
        return data.assign_attrs(provenance({**settings, "poles": POLES}) | data.attrs)

    name = f"{cycle}_{kind}_{strength:g}"
    label = f"stirling {what}, {cycle} cycle, {kind}, A = {strength:g}"
    return Job(label, f"stirling_{what}.zarr", name, settings, labelled, costs[kind], kind)


def _static(poles: int | None, scope: Scope) -> Job:
    """Quasi-static works with this number of poles."""
    name = f"quasi_static_{'classical' if poles is None else poles}"

    lanes = len(scope.couplings) * quasi_static.points_of(scope.nodes)

    def make(advance: Advance) -> xarray.Dataset:
        return quasi_static.works(poles, scope.couplings, scope.nodes, lambda count: advance(count / lanes))

    settings: dict[str, Any] = {
        "couplings": scope.couplings,
        "nodes": scope.nodes,
        "poles": poles,
    }
    return _alone(name, STATIC[poles] * lanes, scope.full, make, **settings)


def _alone(
    name: str, cost: float, full: bool, make: Callable[[Advance], xarray.Dataset], share: str = "", **settings: object
) -> Job:
    """A calculation that no other is like."""
    known = {"full": full, **settings}

    def labelled(advance: Advance) -> xarray.Dataset:
        return make(advance).assign_attrs(provenance(known))

    return Job(f"stirling {name}", f"stirling_{name}.zarr", "all", known, labelled, cost, share)

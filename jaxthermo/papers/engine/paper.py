"""Reproduction of Koyanagi & Tanimura, J. Chem. Phys. 161, 114113 (2024): the thermostatic Stirling engine."""

from collections.abc import Callable
from dataclasses import dataclass

import xarray

from jaxthermo.papers import claims
from jaxthermo.papers.engine import figures, inequalities, pairs, quasi_static, relations, runs, tables
from jaxthermo.papers.engine.claims import CLAIMS
from jaxthermo.papers.engine.data import CYCLES, KINDS, LABELS, POLES, STRENGTHS, equation
from jaxthermo.papers.engine.numbers import Case, Cases, EngineNumbers
from jaxthermo.papers.plan import Advance, Data, Job, Product
from jaxthermo.papers.reproduction import Paper, figure_product, text_product
from jaxthermo.provenance import provenance

NAME = "stirling"
TITLE = "Koyanagi & Tanimura 2024, thermostatic Stirling engine"
NOTE = (
    "The schedules beta(t), x(t) of the paper's Fig. 2 are known only as a picture. Everything is shown for two cycles: "
    "one of our own, and one inferred from the six works of Table 4; neither is the paper's. One equation (the quantum "
    "noise has the symmetric memory, C(t, t') ~ T(t) T(t')) and one mesh serve all figures. U = 0.1 q^2 + 0.02 q^3 + "
    "0.05 q^4; hbar = m = k_B = 1."
)
# Rough seconds of a cycle, of its searches, and of quasi-static works.
RUN, SEARCH, STATIC = {"classical": 3.0, "quantum": 15.0}, {"classical": 12.0, "quantum": 150.0}, 15.0


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
# The table of a quantum potential takes minutes: a first look does without all but one.
COARSE = Scope(
    False, tuple(case for case in EVERY if case[1] == "classical" or case == ("own", "quantum", 1.0)),
    quasi_static.COARSE_COUPLINGS, quasi_static.COARSE_POLES, quasi_static.COARSE_NODES,
)  # fmt: skip


class Jobs:
    """The calculations; those of one kind share their compiled programs."""

    def __init__(self, scope: Scope):
        full = scope.full
        self.cycles = {case: _case("run", case, full, RUN, runs.cycle_of) for case in EVERY}
        self.searched = {case: _case("potentials", case, full, SEARCH, runs.potentials_of) for case in scope.searched}
        self.static = {
            poles: _alone(
                f"quasi_static_{'classical' if poles is None else poles}", STATIC, full,
                lambda a, p=poles: quasi_static.works(p, scope.couplings, scope.nodes),
                couplings=scope.couplings, nodes=scope.nodes, poles=poles,
            )
            for poles in scope.poles
        }  # fmt: skip
        self.mixing = _alone("mixing", 40.0, full, lambda a: pairs.mixing(full))
        self.slower = _alone("slower", 4.0, full, lambda a: runs.entropy_when_slower(1.5))
        self.paper_mesh = {case: _case("paper_mesh", case, full, RUN, _papers_mesh) for case in EVERY if full}

    def of(self, cycle: str, jobs: dict[Case, Job], found: Data) -> figures.Cases:
        """The datasets of one cycle."""
        return {(kind, a): found[job.name] for (name, kind, a), job in jobs.items() if name == cycle}

    def slacks(self, found: Data, full: bool) -> Cases:
        """Slacks of the inequalities, which cost little once the potentials are known."""
        return {case: inequalities.slacks(found[job.name], full) for case, job in self.searched.items()}

    def all(self) -> list[Job]:
        """Every job that claims need."""
        return [*self.cycles.values(), *self.searched.values(), *self.static.values(), self.mixing, self.slower]

    def numbers(self, found: Data, full: bool) -> EngineNumbers:
        """The datasets by what they are."""
        return EngineNumbers(
            cycles={case: found[job.name] for case, job in self.cycles.items()},
            searched={case: found[job.name] for case, job in self.searched.items()},
            slacks=self.slacks(found, full),
            mixing=found[self.mixing.name],
            static={poles: found[job.name] for poles, job in self.static.items()},
            slower=found[self.slower.name],
        )


def products(full: bool) -> list[Product]:
    """Figures and tables in the paper's order."""
    return products_of(FULL if full else COARSE)


def products_of(scope: Scope) -> list[Product]:
    """Figures and tables for any scope."""
    jobs, full = Jobs(scope), scope.full
    both = f"{equation('classical', full).capitalize()}; {equation('quantum', full)}"
    listed: list[Product] = [
        figure_product(
            "stirling_fig2", "Fig. 2: schedules", f"Field and inverse temperature of the two cycles that stand in for the "
            f"paper's, which is known as a picture only. {LABELS['own']}; {LABELS['inferred'].lower()}.",
            [], lambda d: figures.protocol({n: make() for n, make in CYCLES.items()}, "Colours of the strokes as in the paper."),
        )
    ]  # fmt: skip
    for cycle in CYCLES:
        listed += _of_cycle(jobs, scope, cycle, both)
    return [
        *listed,
        figure_product(
            "stirling_quasi_static", "Companion paper: quasi-static work against the coupling",
            "Work of an infinitely slow cycle over A: independent of A classically, falling with A in the quantum case, "
            f"for K poles of the bath. Hierarchy of depth {quasi_static.DEPTH}.",
            list(jobs.static.values()), lambda d: quasi_static.draw({p: d[j.name] for p, j in jobs.static.items()}),
        ),
        text_product(
            "stirling_table4", "Table 4: work per cycle", f"For both cycles. {both}.",
            [*jobs.cycles.values(), *jobs.paper_mesh.values()],
            lambda d: tables.works({c: d[j.name] for c, j in jobs.cycles.items()}, {c: d[j.name] for c, j in jobs.paper_mesh.items()}),
        ),
        text_product(
            "stirling_relations", "Tables 1, 2, 5, 6: the potentials' differentials",
            f"Every relation with its largest residual along the cycles. {both}.",
            list(jobs.searched.values()), lambda d: relations.text({c: d[j.name] for c, j in jobs.searched.items()}),
        ),
        text_product(
            "stirling_mixing", "Table 7, App. C: mixing of states", "Random pairs of states, classical, from both cycles.",
            [jobs.mixing], lambda d: pairs.text(d[jobs.mixing.name]),
        ),
        text_product(
            "stirling_inequalities", "Tables 8, 9, Apps. B, D: inequalities",
            f"The smallest slack along the cycles, with the condition that each needs. {both}.",
            list(jobs.searched.values()), lambda d: inequalities.text(jobs.slacks(d, full)),
        ),
        text_product(
            "stirling_slower", "Sec. III.4: longer isothermal strokes", "Entropy produced per cycle, classical, A = 1.5.",
            [jobs.slower], lambda d: tables.slower(d[jobs.slower.name]),
        ),
        text_product(
            "stirling_statements", "What the paper says", "Every claim of abstract, text and conclusions, judged by numbers.",
            jobs.all(), lambda d: claims.table("Statements", NAME, CLAIMS, jobs.numbers(d, full)),
        ),
    ]  # fmt: skip


def _of_cycle(jobs: Jobs, scope: Scope, cycle: str, both: str) -> list[Product]:
    """Figs. 3, 4, 5 and 10 of one cycle."""
    schedule, more = CYCLES[cycle](), "" if cycle == "own" else f"_{cycle}"
    text = figures.describe(schedule, LABELS[cycle])
    of = f"{cycle} cycle"
    words = f"{LABELS[cycle]}, period {float(schedule.period):g}, A as in the panels. {both}."
    ran = [job for case, job in jobs.cycles.items() if case[0] == cycle]
    searched = [job for case, job in jobs.searched.items() if case[0] == cycle]
    few = "" if scope.full else " Quantum potentials take minutes each, so that a coarse run has one or none."
    return [
        figure_product(
            f"stirling_fig3{more}", f"Fig. 3: x-X diagrams, {of}", f"Field against coordinate; the loop is the work, "
            f"counterclockwise for an engine. {words}",
            ran, lambda d: figures.work_diagrams(jobs.of(cycle, jobs.cycles, d), schedule, text),
        ),
        figure_product(
            f"stirling_fig4{more}", f"Fig. 4: T-S diagrams, {of}", f"Temperature against thermodynamic entropy, which "
            f"follows from searches for the least work; dotted: quasi-static. {words}{few}",
            searched, lambda d: figures.entropies(jobs.of(cycle, jobs.searched, d), schedule, text),
        ),
        figure_product(
            f"stirling_fig5{more}", f"Fig. 5: entropy production, enthalpy, energy, {of}", "Rates are means between "
            f"searches; crosses are the exact rate of a classical state. {words}{few}",
            ran + searched,
            lambda d: figures.energies(jobs.of(cycle, jobs.cycles, d), jobs.of(cycle, jobs.searched, d), text),
        ),
        figure_product(
            f"stirling_fig10{more}", f"Fig. 10: distance from the quasi-static potential, {of}",
            f"Xi_qst - Xi_neq at equal beta and x~ over a cycle. {words}{few}",
            searched, lambda d: figures.planck_differences(jobs.of(cycle, jobs.searched, d), text),
        ),
    ]  # fmt: skip


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


def _alone(name: str, cost: float, full: bool, make: Callable[[Advance], xarray.Dataset], **settings: object) -> Job:
    """A calculation that no other is like."""
    known = {"full": full, **settings}

    def labelled(advance: Advance) -> xarray.Dataset:
        return make(advance).assign_attrs(provenance(known))

    return Job(f"stirling {name}", f"stirling_{name}.zarr", "all", known, labelled, cost)

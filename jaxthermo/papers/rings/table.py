"""Our numbers beside the exact ones and the paper's, and the paper's words beside what the numbers say."""

import itertools
from dataclasses import dataclass

import numpy as np
import xarray

from jaxthermo.papers.rings.data import COUPLING, FORCE
from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place

ByQ = dict[int, xarray.Dataset]

# A step from odd to even q smaller than this counts as a plateau.
PLATEAU = 0.1
# "close to 1/2", as a difference.
NEAR_HALF = 0.1


@dataclass(frozen=True)
class Row:
    """One quantity at one q; `reference` is NaN where nothing is known in closed form."""

    quantity: str
    q: int
    value: float
    reference: float = np.nan
    source: str = ""

    def cells(self) -> list[str]:
        known = np.isfinite(self.reference)
        pair = [f"{self.reference:.6g}", f"{self.value - self.reference:.1e}"] if known else ["", ""]
        return [self.quantity, str(self.q), f"{self.value:.6g}", *pair, self.source]


@dataclass(frozen=True)
class Finding:
    """A statement of the paper, whether the numbers bear it out (None: too few of them), and the numbers."""

    statement: str
    holds: bool | None
    evidence: str

    def cells(self) -> list[str]:
        verdict = {True: "agree", False: "differ", None: "cannot tell"}[self.holds]
        return [self.statement, verdict, self.evidence]


ROW_HEADER = ["quantity", "q", "ours", "reference", "difference", "reference is"]
FINDING_HEADER = ["the paper says", "numbers", "computed here"]


def rows(work: ByQ, best: ByQ) -> list[Row]:
    """Every number worth a line: the exact limits first, then the maxima."""
    return [row for q, d in work.items() for row in _work_rows(q, d)] + [
        row for q, d in best.items() for row in _optimum_rows(q, d)
    ]


def _work_rows(q: int, d: xarray.Dataset) -> list[Row]:
    beta, phase = d.beta.values, d.phase.values
    known = phase != Phase.undecided
    uniform = known & (beta < float(d.critical_beta))
    deviation = np.abs(d.work_current.values - d.uniform_work_current.values)[uniform].max()
    last, first_uniform = float(d.work_current[-1]), float(d.uniform_work_current[-1])
    rows = [
        Row("beta_c1, where the uniform state loses stability", q, float(d.critical_beta), float(q), "q"),
        Row("beta_c2, fold of the localised states", q, float(d.fold_beta)),
        Row("largest |W - W_1| below beta_c1", q, float(deviation), 0.0, "Eq. (10)"),
        Row("W at the largest beta", q, last, float(d.low_temperature), "q times Eq. (11)"),
        Row(
            "W at the largest beta",
            q,
            last,
            float(np.exp(0.5 * beta[-1] * COUPLING)) * first_uniform,
            "Eq. (11) as printed",
        ),
        Row("undecided points of Fig. 2", q, float(np.sum(~known))),
    ]
    if np.any(phase == Phase.limit_cycle):
        coldest = float(beta[phase == Phase.limit_cycle].max())
        rows.insert(2, Row("coldest limit cycle on the grid", q, coldest, float(d.fold_beta), "beta_c2"))
    return rows


def _optimum_rows(q: int, d: xarray.Dataset) -> list[Row]:
    phase, place = Phase(int(d.phase)).word, Place(int(d.place)).word
    rows = [
        Row(f"largest |P| ({phase}, {place})", q, float(d.power)),
        Row("efficiency at maximum power", q, float(d.efficiency)),
        Row("beta at the maximum", q, float(d.beta)),
        Row("f2 at the maximum", q, float(d.force2)),
    ]
    if d.gaps.size > 1:
        rows.append(Row("how far the next maximum is below it", q, float(d.gaps[1])))
    return rows


def findings(work: ByQ, best: ByQ) -> list[Finding]:
    """The paper's sentences on Figs. 2 and 4, judged by the numbers alone."""
    power = {q: float(d.power) for q, d in best.items()}
    efficiency = {q: float(d.efficiency) for q, d in best.items()}
    return [
        _cheaper(work),
        _even_phases(work),
        _monotone("largest |P| increases with q overall", power, rising=True),
        _monotone("EMP decreases monotonically with q", efficiency, rising=False),
        _jumps(power),
        _near_half(efficiency),
        _at_cycles(best),
    ]


def _cheaper(work: ByQ) -> Finding:
    def lowest(d: xarray.Dataset) -> float:
        known = d.phase.values != Phase.undecided
        return float((d.uniform_work_current - d.work_current).values[known].min())

    worst = {q: lowest(d) for q, d in work.items()}
    q = min(worst, key=lambda k: worst[k])
    evidence = f"smallest W_1 - W {worst[q]:.1e} at q = {q}"
    return Finding("attraction never costs work: W_1 - W >= 0", worst[q] > -1e-9, evidence)


def _even_phases(work: ByQ) -> Finding:
    """Whether all that even q shows below its transition is localised."""
    spans = {}
    for q, d in work.items():
        between = d.beta.values[np.isin(d.phase.values, (Phase.clustered, Phase.limit_cycle))]
        if q % 2 == 0 and len(between):
            spans[q] = f"q = {q}: clustered or cycling at beta {between.min():.2f} to {between.max():.2f}"
    evens = ", ".join(str(q) for q in work if q % 2 == 0)
    evidence = "; ".join(spans.values()) or f"none at f = {FORCE:g} for q = {evens}"
    return Finding("even q has one transition, straight to localised states", not spans, evidence)


def _monotone(statement: str, values: dict[int, float], rising: bool) -> Finding:
    steps = np.diff(list(values.values()))
    evidence = ", ".join(f"{q}: {value:.3f}" for q, value in values.items())
    holds = bool(np.all(steps > 0 if rising else steps < 0)) if len(steps) > 1 else None
    return Finding(statement, holds, evidence)


def _jumps(power: dict[int, float]) -> Finding:
    qs = list(power)
    steps = {(a, b): power[b] / power[a] - 1 for a, b in itertools.pairwise(qs) if b == a + 1}
    onto = {parity: [step for (_, b), step in steps.items() if b % 2 == parity] for parity in (0, 1)}
    holds = None
    if onto[0] and onto[1]:
        holds = max(map(abs, onto[0])) < PLATEAU < min(onto[1])
    evidence = ", ".join(f"{a}->{b}: {step:+.0%}" for (a, b), step in steps.items())
    return Finding("|P| jumps from even to odd q, followed by plateaus", holds, evidence)


def _near_half(efficiency: dict[int, float]) -> Finding:
    small = {q: eta for q, eta in efficiency.items() if q <= 3}
    evidence = ", ".join(f"q = {q}: {eta:.3f}" for q, eta in small.items())
    holds = all(abs(eta - 0.5) < NEAR_HALF for eta in small.values()) if small else None
    return Finding("EMP is close to 1/2 for small q", holds, evidence)


def _at_cycles(best: ByQ) -> Finding:
    odd = {q: Phase(int(d.phase)).word for q, d in best.items() if q % 2 == 1}
    evidence = ", ".join(f"q = {q}: {phase}" for q, phase in odd.items())
    return Finding(
        "for odd q the maximum lies in the synchronised phase", set(odd.values()) <= {Phase.limit_cycle.word}, evidence
    )

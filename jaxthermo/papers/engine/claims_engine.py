"""What Koyanagi & Tanimura 2024 say of work and efficiency of their engine, claim by claim."""

import numpy as np

from jaxthermo._status import Status
from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.engine import relations
from jaxthermo.papers.engine.cycle_facts import fits
from jaxthermo.papers.engine.data import CYCLES, KINDS, STRENGTHS, TABLE_4
from jaxthermo.papers.engine.ensemble_report import carnots, efficiencies, falls, over_all, works
from jaxthermo.papers.engine.numbers import EngineNumbers, by_strength, horizontal

UNKNOWN_CYCLE = "the paper's schedules are known as a picture only, so its cycle cannot be run"


def _loops(n: EngineNumbers) -> Verdict:
    gaps = [abs(float(d.X[-1] - d.X[0])) / float(np.ptp(np.asarray(d.X))) for d in n.cycles.values()]
    entropy = [
        abs(float(d.m_entropy[-1] - d.m_entropy[0])) / float(np.ptp(np.asarray(d.m_entropy)))
        for d in n.searched.values()
    ]
    return Verdict(max(gaps + entropy) < 1e-3, f"largest gap over the span: X {max(gaps):.0e}, S {max(entropy):.0e}")


def _work_area(n: EngineNumbers) -> Verdict:
    worst = rule = 0.0
    for data in n.cycles.values():
        x, X = np.asarray(data.x), np.asarray(data.X)
        areas = [float(relations.integrated([(x, X)], step)[-1]) for step in (1, 2)]
        span = float(np.ptp(x) * np.ptp(X))
        worst = max(worst, abs(areas[0] - float(data.work)) / span)
        rule = max(rule, abs(areas[1] - areas[0]) / 3.0 / span)
    return Verdict(
        worst < max(1e-3, 3.0 * rule),
        f"largest |area - W| over the spans of x and X, {len(n.cycles)} cycles: {worst:.1e}, error of the quadrature "
        f"{rule:.1e}; counterclockwise loops are those with W < 0",
    )


def _own_works(n: EngineNumbers) -> Verdict:
    found = "; ".join(f"{kind} {by_strength([n.work('own', kind, a) for a in STRENGTHS], '.2e')}" for kind in KINDS)
    return Verdict(None, found, UNKNOWN_CYCLE)


def _inferred_works(n: EngineNumbers) -> Verdict:
    misses = {case: (n.work("inferred", *case) - printed.work) / printed.rounding for case, printed in TABLE_4.items()}
    worst = max(misses.values(), key=abs)
    states = {str(n.cycles["inferred", *case].attrs["status"]) for case in TABLE_4}
    found = ", ".join(f"{kind} {a:g}: {miss:+.2f}" for (kind, a), miss in misses.items())
    trusted = states == {Status.ok.word}
    return Verdict(
        abs(worst) <= 1.0 if trusted or abs(worst) > 1.0 else None,
        f"difference over half of the last digit: {found}; status {', '.join(sorted(states))}",
        "a cycle with these works exists; it is not the paper's own"
        + ("" if trusted else ". Where beta is steep the last level stays large; one more changes no work by 1e-8"),
    )


def _quantum_effect(n: EngineNumbers) -> Verdict:
    text, falls = [], []
    for cycle in CYCLES:
        gaps = [abs(n.work(cycle, "quantum", a) - n.work(cycle, "classical", a)) for a in STRENGTHS]
        falls.append(gaps[0] > gaps[1] > gaps[2])
        text.append(f"{cycle} cycle {by_strength(gaps, '.1e')}")
    return Verdict(
        all(falls),
        "|W quantum - W classical|: " + "; ".join(text),
        ""
        if all(falls)
        else "it falls with A in the inferred cycle, as in Table 4. In our own the quasi-static part falls too "
        "(`quasi_static`), but at weak coupling the quantum part of the friction has the other sign and hides it",
    )


def _damper(n: EngineNumbers) -> Verdict:
    signs = {cycle: [n.work(cycle, kind, STRENGTHS[-1]) for kind in KINDS] for cycle in CYCLES}
    text = "; ".join(f"{c} cycle {w[0]:.2e} classical, {w[1]:.2e} quantum" for c, w in signs.items())
    return Verdict(all(min(w) > 0 for w in signs.values()), f"W at A = {STRENGTHS[-1]:g}: {text}")


def _balanced(n: EngineNumbers) -> Verdict:
    worst = max(float(d.work.max()) for d in n.static.values())
    return Verdict(worst < 0, f"quasi-static work is negative at every A, largest {worst:.2e}")


def _intermediate(n: EngineNumbers) -> Verdict:
    best, holds = [], []
    for period in n.carnot.period.values:
        eta = np.nan_to_num(np.asarray(n.carnot.efficiency.sel(period=period)))
        top = int(eta.argmax())
        holds.append(0 < top < len(eta) - 1 and eta[top] > 0.0)
        best.append(f"period {period:g}: {eta[top]:.3f} at A = {float(n.carnot.coupling[top]):g}")
    text = []
    for cycle in CYCLES:
        for kind in KINDS:
            text.append(f"{cycle}, {kind} {by_strength([n.efficiency(cycle, kind, a) for a in STRENGTHS], '.4f')}")
    return Verdict(
        all(holds),
        f"Carnot: {', '.join(best)}. Stirling: {'; '.join(text)}".replace("nan", "no engine"),
        "weaker baths exchange heat too slowly, stronger ones cost work when they are coupled. Of the Stirling cycles "
        "the inferred ones are the better the weaker the coupling, as Table 4 says, and our own is best at A = 1",
    )


def _carnot(n: EngineNumbers) -> Verdict:
    shares = []
    for cycle, make in CYCLES.items():
        limit = 1.0 - float(make().beta_hot / make().beta_cold)
        shares += [n.efficiency(cycle, kind, a) / limit for kind in KINDS for a in STRENGTHS]
    best = float(np.nanmax(shares))
    return Verdict(best < 1.0, f"largest efficiency over Carnot's {best:.3f}")


def _horizontal(n: EngineNumbers) -> Verdict:
    shares = {cycle: horizontal(n.cycles[cycle, "classical", 1.0]) for cycle in CYCLES}
    return Verdict(
        shares["inferred"] > 0.01,
        "share of the way of X while x and beta rest: " + ", ".join(f"{c} cycle {s:.2f}" for c, s in shares.items()),
        "the inferred cycle has rests of x in its isothermal strokes; our own moves x all the time",
    )


def _papers_mesh(n: EngineNumbers) -> Verdict:
    if not n.paper_mesh:
        return Verdict(None, "", "the paper's meshes and depths are run with `--full` only")
    misses = {case: abs(float(d.work) - n.work(*case)) / TABLE_4[case[1:]].rounding for case, d in n.paper_mesh.items()}
    worst = max(misses, key=lambda case: misses[case])
    return Verdict(
        misses[worst] <= 1.0,
        f"largest change of a work from our mesh to the paper's: {misses[worst]:.2f} of half of its last digit "
        f"({', '.join(map(str, worst))})",
        "" if misses[worst] <= 1.0 else "the coldest states of that cycle are narrower than the paper's steps of p",
    )


CLAIMS: tuple[Claim[EngineNumbers], ...] = (
    Claim("Sec. III.4", "x-X and T-S trajectories are closed.", "fig4", _loops),
    Claim("Sec. III.4, Fig. 3", "The enclosed area is the work; engines run counterclockwise.", "fig3", _work_area),
    Claim("Table 3", "Its depths and meshes are fine enough for Table 4.", "table4", _papers_mesh),
    Claim("Table 4", "Works per cycle, from the paper's schedules.", "fig3", _own_works),
    Claim("Table 4", "The six works together belong to one cycle.", "table4", over_all(_inferred_works, fits)),
    Claim(
        "Sec. III.4, Fig. 3",
        "Horizontal pieces: X follows x with a delay.",
        "fig3_inferred",
        over_all(_horizontal, lambda f: f["horizontal"] > 0.01),
    ),
    Claim(
        "Sec. III.4",
        "The larger the coupling, the smaller the quantum effect.",
        "table4",
        over_all(_quantum_effect, lambda f: falls(np.abs(works(f)[1] - works(f)[0]))),
    ),
    Claim(
        "Sec. III.4",
        "At strong coupling the engine becomes a refrigerator or damper.",
        "table4",
        over_all(_damper, lambda f: bool((works(f)[:, -1] > 0.0).all())),
    ),
    Claim("Sec. III.4", "Quasi-static fluctuation and dissipation balance at any A.", "quasi_static", _balanced),
    Claim("Sec. III.4", "Carnot's efficiency is largest at intermediate coupling.", "carnot", _intermediate),
    Claim(
        "Sec. III.4",
        "Efficiency stays below Carnot's.",
        "table4",
        over_all(_carnot, lambda f: bool(efficiencies(f).max() < carnots(f))),
    ),
)

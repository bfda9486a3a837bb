"""What Koyanagi & Tanimura 2024 say of the entropy of their engine, and of what may follow, claim by claim."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from jaxthermo.papers.claims import Claim, Verdict
from jaxthermo.papers.engine import relations
from jaxthermo.papers.engine.cycle_facts import stored
from jaxthermo.papers.engine.data import STRENGTHS
from jaxthermo.papers.engine.ensemble_report import falls, over_all
from jaxthermo.papers.engine.numbers import EngineNumbers, by_strength

# Of what is integrated over saved times, relative to its span.
CLOSE = 2e-2


def _quadrature(n: EngineNumbers, gap_of: Callable[[xr.Dataset, int], float], what: str) -> Verdict:
    """Whether two sides of an equation agree in all cycles as well as the quadrature can tell.

    gap_of   their difference, from the series of a cycle, and how many times make a step of the quadrature
    """
    worst = rule = 0.0
    for case, data in n.searched.items():
        gaps = [gap_of(data, step) / n.absorbed(*case) for step in (1, 2)]
        worst, rule = max(worst, abs(gaps[0])), max(rule, abs(gaps[1] - gaps[0]) / 3.0)
    return Verdict(
        worst < max(CLOSE, 3.0 * rule),
        f"largest |area - {what}| over the heat absorbed {worst:.1e}, error of the quadrature {rule:.1e}",
    )


def _area(n: EngineNumbers) -> Verdict:
    def gap(data: xr.Dataset, step: int) -> float:
        along = relations.out_of_equilibrium(data)
        terms = [(along.T, along.potentials["m_entropy"]), along.waste]
        return float(relations.integrated(terms, step)[-1]) - float(data.cumulative_heat[-1])

    return _quadrature(n, gap, "(Q_ext - Q_wst)")


def _still_area(n: EngineNumbers) -> Verdict:
    def gap(data: xr.Dataset, step: int) -> float:
        along = relations.quasi_static(data)
        heat, work = [(along.T, along.potentials["m_entropy"])], [(along.x, along.X)]
        return float((relations.integrated(heat, step) + relations.integrated(work, step))[-1])

    return _quadrature(n, gap, "Q")


def _delay(n: EngineNumbers) -> Verdict:
    case = [("own", "classical", a) for a in STRENGTHS]
    found = [n.delay(one) for one in case]
    return Verdict(
        found[0] > found[-1],
        f"mean distance of S from equilibrium in thermostatic strokes, own cycle, classical: {by_strength(found)}",
    )


def _isothermal(n: EngineNumbers) -> Verdict:
    found = [n.rate_in(("own", "classical", a), True) for a in STRENGTHS]
    holds = found[0] < found[1] < found[2]
    return Verdict(
        holds,
        f"mean rate in isothermal strokes, own cycle, classical: {by_strength(found, '.4f')}",
        ""
        if holds
        else "it grows from A = 1 to 1.5, as the paper says; at A = 0.5 our state is still far from equilibrium when "
        "an isothermal stroke begins, and relaxes in it",
    )


def _thermostatic(n: EngineNumbers) -> Verdict:
    found = [n.rate_in(("own", "classical", a), False) for a in STRENGTHS]
    return Verdict(
        found[0] == min(found),
        f"mean rate in thermostatic strokes, own cycle, classical: {by_strength(found, '.4f')}",
        ""
        if found[0] == min(found)
        else "at weak coupling S is far from equilibrium there, which produces "
        "entropy longer; in our cycle this outweighs the weaker friction",
    )


def _longer(n: EngineNumbers) -> Verdict:
    short, long = (float(v) for v in n.slower.entropy_produced)
    # In the inferred cycle, in the isothermal strokes alone.
    before, after = (whole - thermostatic for whole, thermostatic in stored()["cycles"][0]["longer"])
    return Verdict(
        long < short,
        f"A = 1.5, own cycle, classical: {short:.4f} per cycle, {long:.4f} with isothermal strokes twice as long",
        f"where x rests for much of an isothermal stroke, the state goes on relaxing in a longer one: {before:.3f} "
        f"becomes {after:.3f} in those of the inferred cycle",
    )


def _weak(n: EngineNumbers) -> Verdict:
    text, holds = [], []
    for name in ("H", "U"):
        found = [n.difference("own", a, name) for a in STRENGTHS]
        holds.append(found[0] < found[-1])
        text.append(f"{name}: {by_strength(found)}")
    return Verdict(
        all(holds),
        "largest difference over the span, own cycle: " + "; ".join(text),
        "" if all(holds) else "the difference at weak coupling is that of a canonical state",
    )


CLAIMS: tuple[Claim[EngineNumbers], ...] = (
    Claim(
        "Sec. III.4, Fig. 4",
        "The T-S area is Q_ext - Q_wst.",
        "fig4",
        over_all(_area, lambda f: all(gap < max(CLOSE, 3.0 * rule) for gap, rule in f["area"])),
    ),
    Claim("Sec. III.4", "Quasi-statically the T-S area is the heat, since nothing is wasted.", "fig4", _still_area),
    Claim(
        "Sec. III.4, Fig. 4",
        "Weak coupling: S is delayed in thermostatic strokes; strong: hardly.",
        "fig4",
        over_all(_delay, lambda f: f["delay"][0] > f["delay"][-1]),
    ),
    Claim(
        "Sec. III.4",
        "It is large in isothermal strokes at strong coupling.",
        "fig5",
        over_all(_isothermal, lambda f: falls(-np.array(f["rates"]["isothermal"]))),
    ),
    Claim(
        "Sec. III.4",
        "It is small in thermostatic strokes at weak coupling.",
        "fig5",
        over_all(_thermostatic, lambda f: f["rates"]["thermostatic"][0] == min(f["rates"]["thermostatic"])),
    ),
    Claim(
        "Sec. III.4",
        "Longer isothermal strokes produce less entropy at strong coupling.",
        "slower",
        over_all(_longer, lambda f: f["longer"][1][0] < f["longer"][0][0]),
    ),
    Claim(
        "Fig. 5(b), (c)",
        "Weak coupling: classical and quantum H, U agree; strong: not.",
        "fig5",
        over_all(_weak, lambda f: all(f["apart"][name][0] < f["apart"][name][-1] for name in ("H", "U"))),
    ),
    Claim(
        "Sec. IV",
        "Pressure and volume may take the place of x and X.",
        "fig3",
        lambda n: Verdict(None, "", "no pressure is derived in the paper; here X may be any operator f(q)"),
    ),
    Claim(
        "Sec. IV",
        "The potentials out of equilibrium generalise exergy.",
        "fig10",
        lambda n: Verdict(None, "", "a definition; Fig. 10 shows what is lost when a state relaxes"),
    ),
    Claim(
        "Sec. IV",
        "The theory can be tested in real systems, and improves machines.",
        "table4",
        lambda n: Verdict(None, "", "a matter of experiments; `jaxthermo better-engine` finds engines of more power"),
    ),
)

"""The stored cycles with the six works of Table 4: their schedules, their works, and for how many a claim holds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxthermo.papers.claims import Verdict
from jaxthermo.papers.engine.cycle_facts import CASES, PRINTED, residuals, stored
from jaxthermo.papers.engine.cycle_inference import NAMES, PARAMETERS, cycle_from
from jaxthermo.papers.engine.data import STRENGTHS
from jaxthermo.papers.engine.numbers import EngineNumbers
from jaxthermo.papers.tables import markdown
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title

Facts = dict[str, Any]
Judge = Callable[[EngineNumbers], Verdict]


def over_all(judge: Judge, holds: Callable[[Facts], bool]) -> Judge:
    """The same judge, which also says for how many of the stored cycles the claim holds; for none, it differs."""

    def judged(numbers: EngineNumbers) -> Verdict:
        verdict, cycles = judge(numbers), stored()["cycles"]
        count = sum(holds(each) for each in cycles)
        more = f"holds for {count or 'none'} of the {len(cycles)} cycles with the six works (`cycles`)"
        holds_somewhere = None if verdict.holds is None else verdict.holds and count > 0
        return replace(verdict, holds=holds_somewhere, computed=f"{verdict.computed}; {more}")

    return judged


def works(each: Facts) -> np.ndarray:
    """Works, (kind, coupling)."""
    return np.array(each["work"]).reshape(2, len(STRENGTHS))


def efficiencies(each: Facts) -> np.ndarray:
    """-W/Q, (kind, coupling), negative where the cycle is no engine."""
    return -works(each) / np.array(each["absorbed"]).reshape(2, len(STRENGTHS))


def carnots(each: Facts) -> float:
    """1 - T_cold/T_hot."""
    given = dict(zip(NAMES, each["parameters"], strict=True))
    return float(1.0 - given["beta_hot"] / given["beta_cold"])


def steepest(each: Facts) -> float:
    """The largest |d beta/dt|, which times hbar is beta |d ln T/dt|."""
    cycle = cycle_from(jnp.asarray(each["parameters"]))
    begin, end = (np.asarray(times)[1::2] for times in cycle.spans())
    return float(cycle.beta_cold - cycle.beta_hot) / float((end - begin).min())


def falls(values: Any) -> bool:
    """Whether each is below the one before."""
    return bool(np.all(np.diff(np.asarray(values)) < 0.0))


def names() -> list[str]:
    """Of the stored cycles."""
    return ["inferred", *(f"walk {each['walk']}" for each in stored()["cycles"][1:])]


def text() -> str:
    """Works beside Table 4, what else is known of each cycle, and parameters."""
    known = stored()
    cycles, header = known["cycles"], names()
    misfits = [
        [f"{kind}, A = {a:g}", f"{PRINTED[i]:.3g}", *(f"{residuals(each)[i]:+.2f}" for each in cycles)]
        for i, (kind, a) in enumerate(CASES)
    ]
    lines = [[name, *(f"{each['parameters'][i]:.4g}" for each in cycles)] for i, name in enumerate(NAMES)]
    eta = [
        [f"efficiency, {kind}, A = {a:g}", *(f"{efficiencies(each).ravel()[i]:.4f}" for each in cycles)]
        for i, (kind, a) in enumerate(CASES)
        if a < STRENGTHS[-1]
    ]
    widths = np.array([high - low for _, _, low, high in PARAMETERS])
    spread = np.ptp([each["parameters"] for each in cycles], axis=0) / widths
    late, deeper = known["provenance"], max(np.abs(each["one_level_more"]).max() for each in cycles)
    level = f"Where depth 4 was called too shallow, one more level changes the work by at most {deeper:.0e}. "
    note = (
        f"Each of the {len(cycles)} cycles has all six works within half of the last digit; none is the paper's. A "
        f"parameter differs between them by up to {spread.max():.0%} of the width of its bounds "
        f"({NAMES[int(spread.argmax())]}). {level if deeper else ''}Made by `{known['command']} {len(cycles) - 1}`, "
        f"jaxthermo {late['jaxthermo_version']}, jax {late['jax_version']}, {late['date_utc'][:10]}, and kept with the "
        "library."
    )
    return "\n".join(
        (
            markdown("(W - W of Table 4) / half of its last digit", ["case", "Table 4", *header], misfits),
            markdown("Engines", ["", *header], [*eta, ["Carnot's", *(f"{carnots(each):.4f}" for each in cycles)]]),
            markdown("Parameters", ["parameter", *header], lines),
            note + "\n",
        )
    )


def draw() -> Figure:
    """The schedules of all cycles over one another."""
    fig, axes = figure(1, 2, height=3.6)
    for number, (each, label) in enumerate(zip(stored()["cycles"], names(), strict=True)):
        cycle = cycle_from(jnp.asarray(each["parameters"]))
        times = np.linspace(0.0, 1.0, 801) * float(cycle.period)
        for panel, schedule in zip(axes, (cycle.x, cycle.beta), strict=True):
            values = np.asarray(jax.vmap(schedule)(times))
            panel.plot(times / times[-1], values, color=PALETTE[number % len(PALETTE)], lw=1.2, label=label)
    words = ("$x(t)$  [energy/length]", r"$\beta(t)$  [1/energy]")
    for index, (panel, word) in enumerate(zip(axes, words, strict=True)):
        panel.set(xlabel=r"$t/\tau$", ylabel=word)
        panel_title(panel, index, ("field", "inverse temperature")[index])
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8)
    caption(fig, r"Period $\tau=20$; every cycle has the six works of Table 4. None is the paper's own.")
    return fig

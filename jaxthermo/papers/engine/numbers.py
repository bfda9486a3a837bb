"""All numbers of Koyanagi & Tanimura 2024 that its claims are judged by."""

from dataclasses import dataclass

import numpy as np
import xarray

from jaxthermo.papers.engine.data import CYCLES, STRENGTHS

# A change of x or beta that is rounding.
REST = 1e-12

# (cycle, kind, coupling)
Case = tuple[str, str, float]
Cases = dict[Case, xarray.Dataset]


@dataclass(frozen=True)
class EngineNumbers:
    """Runs, potentials and slacks by case; mixing of states; quasi-static works by poles (None: classical)."""

    cycles: Cases
    searched: Cases
    slacks: Cases
    mixing: xarray.Dataset
    static: dict[int | None, xarray.Dataset]
    slower: xarray.Dataset
    paper_mesh: Cases
    carnot: xarray.Dataset

    def work(self, cycle: str, kind: str, strength: float) -> float:
        """Work per cycle."""
        return float(self.cycles[cycle, kind, strength].work)

    def absorbed(self, cycle: str, kind: str, strength: float) -> float:
        """Heat taken up in one cycle, where its current is positive."""
        steps = np.diff(np.asarray(self.cycles[cycle, kind, strength].cumulative_heat))
        return float(steps[steps > 0].sum())

    def efficiency(self, cycle: str, kind: str, strength: float) -> float:
        """Work given away over heat taken up; NaN where the cycle is no engine."""
        work = self.work(cycle, kind, strength)
        return -work / self.absorbed(cycle, kind, strength) if work < 0 else float("nan")

    def difference(self, cycle: str, strength: float, name: str) -> float:
        """Largest difference of a series, less its first value, between quantum and classical, over its span."""
        series = [
            np.asarray(self.cycles[cycle, kind, strength][name] - self.cycles[cycle, kind, strength][name][0])
            for kind in ("classical", "quantum")
        ]
        return float(np.abs(series[1] - series[0]).max() / np.ptp(series[0]))

    def rate_in(self, case: Case, isothermal: bool) -> float:
        """Mean entropy production rate in strokes of constant, or of moving, temperature."""
        data = self.searched[case]
        time = np.asarray(data.time)
        middle, length = 0.5 * (time[1:] + time[:-1]), np.diff(time)
        corners = np.asarray(CYCLES[case[0]]().corners())
        stroke = np.clip(np.searchsorted(corners, middle, side="right") - 1, 0, 3)
        chosen = (stroke % 2 == 0) == isothermal
        rate = np.asarray(data.entropy_production_rate)[:-1]
        return float(np.sum((rate * length)[chosen]) / np.sum(length[chosen]))

    def delay(self, case: Case) -> float:
        """How far S is behind its equilibrium value in the strokes of moving temperature, over its span."""
        data = self.searched[case]
        corners, time = np.asarray(CYCLES[case[0]]().corners()), np.asarray(data.time)
        stroke = np.clip(np.searchsorted(corners, time, side="right") - 1, 0, 3)
        behind = np.abs(np.asarray(data.m_entropy) - equilibrium_entropy(data))[stroke % 2 == 1]
        return float(behind.mean() / np.ptp(np.asarray(data.m_entropy)))

    def cases_of(self, cycle: str) -> list[Case]:
        """Searched cases of one cycle."""
        return [case for case in self.searched if case[0] == cycle]


def horizontal(data: xarray.Dataset) -> float:
    """The share of the way of X that is gone while x and beta rest."""
    rests = (np.abs(np.diff(np.asarray(data.x))) < REST) & (np.abs(np.diff(np.asarray(data.beta))) < REST)
    moved = np.abs(np.diff(np.asarray(data.X)))
    return float(moved[rests].sum() / moved.sum())


def equilibrium_entropy(data: xarray.Dataset) -> np.ndarray:
    """M-entropy of the equilibrium at the cycle's beta and x."""
    field = data.beta * data.x
    return np.asarray(data.planck_qst - field * data.X_equilibrium + data.beta * data.U_equilibrium)


def by_strength(values: list[float], form: str = ".3f") -> str:
    """A = strength: value, ..."""
    return ", ".join(f"A = {a:g}: {v:{form}}" for a, v in zip(STRENGTHS, values, strict=True))

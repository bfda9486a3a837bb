"""All numbers of Herpich & Esposito 2019 that its claims are judged by."""

from dataclasses import dataclass

import numpy as np
import xarray

from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place

ByQ = dict[int, xarray.Dataset]


@dataclass(frozen=True)
class RingNumbers:
    """Datasets by figure, and by q where there is one for each."""

    portraits: ByQ
    work: ByQ
    landscapes: ByQ
    optima: ByQ
    levels: xarray.Dataset
    relaxation: xarray.Dataset
    unequal: xarray.Dataset
    growth: xarray.Dataset
    followed: ByQ
    closed: xarray.Dataset
    laws: xarray.Dataset
    forms: xarray.Dataset

    def saved(self, q: int) -> tuple[np.ndarray, np.ndarray]:
        """beta and W_1 - W at the decided points of Fig. 2."""
        d = self.work[q]
        known = d.phase.values != Phase.undecided
        return d.beta.values[known], (d.uniform_work_current - d.work_current).values[known]

    def side(self, q: int, edge: str, side: float) -> xarray.Dataset:
        """What is beside an edge of Fig. 2; side -1 is warm, +1 cold."""
        return self.work[q].sel(edge=edge, side=side)

    def phase_at(self, q: int) -> str:
        """The phase of the largest power."""
        return Phase(int(self.optima[q].phase)).word

    def place_at(self, q: int) -> str:
        """Where the largest power lies."""
        return Place(int(self.optima[q].place)).word.replace("_", " ")


def spelled(values: dict[int, float], form: str = ".3f") -> str:
    """q: value, ..."""
    return ", ".join(f"{q}: {value:{form}}" for q, value in values.items())

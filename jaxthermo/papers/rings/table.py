"""Our numbers beside the exact ones and the paper's."""

from dataclasses import dataclass

import numpy as np
import xarray

from jaxthermo.papers.rings.lanes import COUPLING
from jaxthermo.papers.tables import markdown
from jaxthermo.potts import Phase
from jaxthermo.potts.edges import Place

ByQ = dict[int, xarray.Dataset]


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


ROW_HEADER = ["quantity", "q", "ours", "reference", "difference", "reference is"]


def text(work: ByQ, best: ByQ) -> str:
    """All rows as a table."""
    return markdown("Numbers", ROW_HEADER, [row.cells() for row in rows(work, best)])


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


def facts_text(closed: xarray.Dataset, laws: xarray.Dataset, forms: xarray.Dataset) -> str:
    """Closed forms, laws and amplitude equations as tables."""
    names = ("onset", "real_part", "imaginary_error", "slope_error", "repelled")
    header = ["q", *(closed[name].attrs["long_name"] for name in names)]
    lines = [
        [
            str(int(q)),
            f"{float(closed.onset.sel(q=q)):.9g}",
            *(f"{float(closed[name].sel(q=q)):.1e}" for name in names[1:]),
        ]
        for q in closed.q.values
    ]
    single = [name for name in laws.data_vars if not laws[name].dims]
    words = [[laws[name].attrs["long_name"], f"{float(laws[name]):.6g}"] for name in single]
    words += [
        [f"fold of the localised states, q = 3, f = {float(force):g}", f"{float(laws.weak_fold.sel(force=force)):.6g}"]
        for force in laws.force.values
    ]
    born = [
        [
            str(int(q)),
            ("subcritical", "supercritical")[int(forms.supercritical.sel(q=q))],
            f"{float(forms.lyapunov.sel(q=q)):.4g}",
        ]
        for q in forms.q.values
    ]
    return "\n".join(
        (
            markdown("The uniform state", header, lines),
            markdown("Laws and limits", ["what", "value"], words),
            markdown("The wave k = 1 at beta_c1", ["q", "kind", "first Lyapunov coefficient"], born),
        )
    )

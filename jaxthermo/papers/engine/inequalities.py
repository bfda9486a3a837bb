"""Tables 8, 9 and Apps. B, D of Koyanagi & Tanimura 2024: the smallest slack of every inequality along the cycles."""

from typing import Any

import numpy as np
import xarray

from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic, partition_of
from jaxthermo.papers.engine.data import oscillator
from jaxthermo.papers.engine.duals import quasi_static_value
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.tables import markdown
from jaxthermo.thermo.potentials import from_planck

# The inequality, its condition, and the sign that makes its slack positive.
TABLES = {
    "massieu": ("Table 8: Phi_qst >= Phi_neq", "equal beta, X", 1.0),
    "planck": ("Table 8: Xi_qst >= Xi_neq", "equal beta, x~", 1.0),
    "m_entropy": ("Table 8: Lambda_qst >= Lambda_neq", "equal U, X", 1.0),
    "p_entropy": ("Table 8: Gamma_qst >= Gamma_neq", "equal U, x~", 1.0),
    "helmholtz": ("Table 9: F_qst <= F_neq", "equal T, X", -1.0),
    "gibbs": ("Table 9: G_qst <= G_neq", "equal T, x", -1.0),
    "internal_energy": ("Table 9: U_qst <= U_neq", "equal S, X", -1.0),
    "enthalpy": ("Table 9: H_qst <= H_neq", "equal S, x", -1.0),
}
# A slack below this is rounding of searches and Newton's method.
ROUNDING = 1e-7


def slacks(data: xarray.Dataset, full: bool) -> xarray.Dataset:
    """Slack of Tables 8 and 9 at the searched times of one cycle, and of App. B between them.

    For a classical cycle also with two other values in place of the Xi_neq that was searched for: the exact bound
    Xi_info below it, and what a process gives that may jump at once, as the paper's proof in App. D does. Planck and
    Gibbs are known for every cycle; the others need quasi-static states that a table of a quantum potential does not
    reach, and are NaN there.
    """
    searched = data.searched.values
    at = {name: np.asarray(data[name])[searched] for name in ("beta", "x", "U", "X")}
    values = {"searched": np.asarray(data.planck)[searched]}
    if "planck_lower" in data:
        values["bound"] = np.asarray(data.planck_lower)
        values["jump"] = np.minimum(values["searched"], _after_jump(data, at, full))
    rates = np.asarray(data.entropy_production_rate)[:-1]
    variables = {
        "slack": (
            ("value", "potential", "search"),
            np.stack([_slack_of(planck, at, data, full) for planck in values.values()]),
            "mixed",
            "how far the inequality is from being violated",
        ),
        "rate": ("interval", rates, "k_B/time", "entropy production rate"),
        "isothermal": ("interval", np.diff(np.asarray(data.beta)) == 0.0, "1", "whether beta rests"),
        "temperature": ("interval", 1.0 / np.asarray(data.beta)[:-1], "energy", "temperature"),
    }
    coords = {
        "potential": ("potential", list(TABLES), "1", "potential"),
        "value": ("value", list(values), "1", "which Xi out of equilibrium"),
    }
    return labelled(variables, coords)


def _classical(data: xarray.Dataset, full: bool) -> QuasiStatic:
    """Xi_qst of the oscillator of one classical cycle, by quadrature."""
    return QuasiStatic(partition_of(oscillator("classical", float(data.attrs["strength"]), full)), None)


def _after_jump(data: xarray.Dataset, at: dict[str, np.ndarray], full: bool) -> np.ndarray:
    """Xi of a jump to the beta and x~ of the equilibrium that has the same U and X, and relaxation there.

    Equation   Xi_qst(beta', x~') + U (beta' - beta) - X (x~' - x~) = Lambda_qst(U, X) - beta U + x~ X
    """
    entropy = quasi_static_value("m_entropy", _classical(data, full), at)
    return np.asarray(entropy - at["beta"] * at["U"] + at["beta"] * at["x"] * at["X"])


def _slack_of(planck: np.ndarray, at: dict[str, np.ndarray], data: xarray.Dataset, full: bool) -> np.ndarray:
    """All slacks for one non-equilibrium Planck potential."""
    found = {name: np.asarray(each) for name, each in from_planck(planck, **at)._asdict().items()}
    static = _quasi_static(data, at | {"S": found["m_entropy"]}, full)
    return np.stack([sign * (static[name] - found[name]) for name, (_, _, sign) in TABLES.items()])


def _quasi_static(data: xarray.Dataset, at: dict[str, np.ndarray], full: bool) -> dict[str, np.ndarray]:
    upper = np.asarray(data.planck_upper)
    found = {"planck": upper, "gibbs": -upper / at["beta"]}
    nothing = np.full(len(upper), np.nan)
    if data.attrs["kind"] == "classical":
        planck = _classical(data, full)
        for name in ("massieu", "m_entropy", "p_entropy", "internal_energy", "enthalpy"):
            found[name] = quasi_static_value(name, planck, at)
    else:
        found |= dict.fromkeys(("massieu", "m_entropy", "p_entropy", "internal_energy", "enthalpy"), nothing)
    found["helmholtz"] = -found["massieu"] / at["beta"]
    return found


HEADER = ["inequality", "condition", "smallest slack, classical", "with jumps", "with Xi_info", "quantum"]
COLUMNS = (("classical", "searched"), ("classical", "jump"), ("classical", "bound"), ("quantum", "searched"))
RATES = {
    "Eqs. (53), (54): W~ext' >= -Phi'": "",
    "Eq. (56): W~int' >= -Xi'": "",
    "Eq. (57): Q~ext' <= Lambda'": "",
    "Eq. (58): Q~int' <= Gamma'": "",
    "Eqs. (59), (60): W_ext' >= F', W_int' >= G'": "isothermal",
}


def text(found: dict[tuple[str, str, float], xarray.Dataset]) -> str:
    """The smallest slack over all cycles and couplings."""
    lines = []
    for name, (words, condition, _) in TABLES.items():
        lines.append([words, condition, *(_least(found, kind, name, value) for kind, value in COLUMNS)])
    for words, condition in RATES.items():
        cells = [_slowest(found, kind, condition) for kind in ("classical", "quantum")]
        lines.append([words, condition or "along the cycle", cells[0], "", "", cells[1]])
    note = (
        "Slack in the units of the potential, at the times where the potential was searched for; for App. B the mean "
        "entropy production rate between two of them, times T in Eqs. (59), (60). Quasi-static potentials at given "
        "extensive variables come from Legendre transforms of the exact classical partition function; a quantum one is "
        "tabulated around the cycle only. Searches start at the process's own beta and x, as in Sec. III.3, and end "
        "above the true minimum, so that some slacks are negative; Xi_info is below it. The proof in App. D lets beta "
        "and x~ jump at once to their last values: with that jump among what is searched, every inequality holds. "
        "Eq. (56) and its siblings are one inequality, Sigma' >= 0."
    )
    return f"{markdown('Inequalities along the cycles', HEADER, lines)}\n{note}\n"


def smallest(
    found: dict[tuple[str, str, float], xarray.Dataset], kind: str, name: str, value: str = "searched"
) -> float:
    """The smallest slack of one kind; NaN where none is known."""
    of_kind = [d for (_, k, _), d in found.items() if k == kind and value in d.value.values]
    values = [float(d.slack.sel(potential=name, value=value).min()) for d in of_kind]
    return float(np.nanmin(values)) if values and np.any(np.isfinite(values)) else float("nan")


def _least(found: Any, kind: str, name: str, value: str) -> str:
    if not any(k == kind for _, k, _ in found):
        return "not in this run"
    least = smallest(found, kind, name, value)
    return f"{least:.2e}" if np.isfinite(least) else "not reached by the table"


def _slowest(found: Any, kind: str, condition: str) -> str:
    values = []
    for (_, k, _), d in found.items():
        if k == kind:
            rate = d.rate * d.temperature if condition else d.rate
            values.append(float(rate.where(d.isothermal if condition else True).min()))
    return f"{min(values):.2e}" if values else ""

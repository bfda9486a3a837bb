"""Tables 1, 2, 5 and 6 of Koyanagi & Tanimura 2024: every relation with its residual along the cycles.

A relation dY = sum a db + c is tested as the increase of Y from the first time on, by the trapezoidal rule over saved
times. The rule's own error is estimated by leaving out every second time; a residual below it confirms the relation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray

from jaxthermo.papers.tables import markdown
from jaxthermo.thermo.potentials import from_planck

Terms = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Along:
    """What the relations of one table are made of, along one cycle: potentials, variables, entropy produced."""

    potentials: dict[str, np.ndarray]
    beta: np.ndarray
    x: np.ndarray
    U: np.ndarray
    X: np.ndarray
    sigma: np.ndarray

    @property
    def field(self) -> np.ndarray:
        """x~ = beta x."""
        return self.beta * self.x

    @property
    def T(self) -> np.ndarray:
        """Temperature."""
        return 1.0 / self.beta

    @property
    def made(self) -> tuple[np.ndarray, np.ndarray]:
        """d Sigma as a term."""
        return np.ones(len(self.sigma)), self.sigma

    @property
    def waste(self) -> tuple[np.ndarray, np.ndarray]:
        """dQ_wst = -T d Sigma as a term."""
        return -self.T, self.sigma


def out_of_equilibrium(data: xarray.Dataset) -> Along:
    """Along the cycle itself."""
    names = from_planck(0.0, 1.0, 0.0, 0.0, 0.0)._fields
    found = {name: np.asarray(data[name]) for name in names}
    series = (np.asarray(data[name]) for name in ("beta", "x", "U", "X", "entropy_produced"))
    return Along(found, *series)


def quasi_static(data: xarray.Dataset) -> Along:
    """Along the equilibria at the cycle's beta and x."""
    beta, x = np.asarray(data.beta), np.asarray(data.x)
    U, X = np.asarray(data.U_equilibrium), np.asarray(data.X_equilibrium)
    found = from_planck(np.asarray(data.planck_qst), beta, x, U, X)._asdict()
    return Along({name: np.asarray(values) for name, values in found.items()}, beta, x, U, X, 0.0 * beta)


# The potential, its differential, and what is integrated; sigma is 0 in equilibrium.
RELATIONS: tuple[tuple[str, str, str, Callable[[Along], Terms]], ...] = (
    ("massieu", "Phi", "-U d beta - x~ dX + d Sigma", lambda a: [(-a.U, a.beta), (-a.field, a.X), a.made]),
    ("planck", "Xi", "-U d beta + X dx~ + d Sigma", lambda a: [(-a.U, a.beta), (a.X, a.field), a.made]),
    ("m_entropy", "Lambda", "beta dU - x~ dX + d Sigma", lambda a: [(a.beta, a.U), (-a.field, a.X), a.made]),
    ("p_entropy", "Gamma", "beta dU + X dx~ + d Sigma", lambda a: [(a.beta, a.U), (a.X, a.field), a.made]),
    ("helmholtz", "F", "-S dT + x dX + dQ_wst", lambda a: [(-a.potentials["m_entropy"], a.T), (a.x, a.X), a.waste]),
    ("gibbs", "G", "-S dT - X dx + dQ_wst", lambda a: [(-a.potentials["m_entropy"], a.T), (-a.X, a.x), a.waste]),
    ("internal_energy", "U", "T dS + x dX + dQ_wst", lambda a: [(a.T, a.potentials["m_entropy"]), (a.x, a.X), a.waste]),
    ("enthalpy", "H", "T dS - X dx + dQ_wst", lambda a: [(a.T, a.potentials["m_entropy"]), (-a.X, a.x), a.waste]),
)


def residuals(along: Along) -> dict[str, tuple[float, float]]:
    """For each potential the largest residual of its relation, and the error of the quadrature, over its own span."""
    found = {}
    for name, _, _, terms in RELATIONS:
        gain = along.potentials[name] - along.potentials[name][0]
        sides = [integrated(terms(along), step) for step in (1, 2)]
        span = max(float(np.ptp(gain)), 1e-300)
        residual = np.abs(gain - sides[0]).max() / span
        coarse = np.abs(sides[0][::2] - sides[1]).max() / 3.0 / span
        found[name] = float(residual), float(coarse)
    return found


def integrated(terms: Terms, step: int) -> np.ndarray:
    """Sum of the integrals of a db from the first time on, over every time or every second one."""
    taken = slice(None, None, step)
    total = np.zeros(len(terms[0][0][taken]))
    for a, b in terms:
        a, b = a[taken], b[taken]
        total = total + np.concatenate([[0.0], np.cumsum(0.5 * (a[1:] + a[:-1]) * np.diff(b))])
    return total


def text(cases: dict[tuple[str, str, float], xarray.Dataset]) -> str:
    """Tables 1 and 2 out of equilibrium, 5 and 6 in it: largest residuals over kinds and couplings, for each cycle."""
    cycles = list(dict.fromkeys(cycle for cycle, _, _ in cases))
    parts = []
    for title, of in (
        ("Tables 1 and 2: along the non-equilibrium cycles", out_of_equilibrium),
        ("Tables 5 and 6: along their equilibria", quasi_static),
    ):
        worst = {cycle: _worst([residuals(of(d)) for (c, _, _), d in cases.items() if c == cycle]) for cycle in cycles}
        still = of is quasi_static
        lines = [
            [f"d{symbol}", words.split(" + d Sigma")[0].split(" + dQ")[0] if still else words,
             *(f"{value:.1e}" for cycle in cycles for value in worst[cycle][name])]
            for name, symbol, words, _ in RELATIONS
        ]  # fmt: skip
        columns = [f"{word}, {cycle} cycle" for cycle in cycles for word in ("residual", "quadrature error")]
        parts.append(markdown(title, ["left", "right", *columns], lines))
    count = ", ".join(f"{cycle}: {sum(c == cycle for c, _, _ in cases)} cases" for cycle in cycles)
    note = f"Largest over kinds and couplings ({count}), relative to the span of the left side in the cycle."
    return "\n".join((*parts, note + "\n"))


def _worst(found: list[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    names = [name for name, *_ in RELATIONS]
    return {name: (max(f[name][0] for f in found), max(f[name][1] for f in found)) for name in names}

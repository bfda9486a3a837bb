"""Escape from a well from weak to strong friction: the figure of docs/response.md and its data.

`python -m jaxthermo.papers.kramers_turnover FOLDER` writes kramers_turnover.png and kramers_turnover.svg.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Float
from scipy.integrate import quad

import jaxthermo as jt
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

# U = (q^2 - 1)^2, barriers of 5 and 8 temperatures.
WELL, BETAS = (1.0, 0.0, -2.0, 0.0, 1.0), (5.0, 8.0)
FRICTIONS = np.array([0.1, 0.15, 0.25, 0.4, 0.7, 1.2, 2.0, 3.5, 6.0, 10.0])
# Frequencies at the bottom of a well and at the top of the barrier; action of one turn at its height.
BOTTOM, TOP, ACTION = np.sqrt(8.0), 2.0, 8.0 / 3.0


def by_flux(friction: Float[np.ndarray, " n"], beta: float) -> Float[np.ndarray, " n"]:
    """Kramers, Grote and Hynes: sum of both rates of escape where the wells stay in equilibrium.

    Equation   2 [sqrt(1 + (g/2w)^2) - g/2w] W/(2 pi) exp(-beta), g the friction, w and W the frequencies at the top and
               the bottom, m = 1
    """
    half = 0.5 * friction / TOP
    return 2.0 * (np.sqrt(1.0 + half**2) - half) * BOTTOM / (2.0 * np.pi) * np.exp(-beta)


def by_energy_loss(friction: Float[np.ndarray, " n"], beta: float) -> Float[np.ndarray, " n"]:
    """Mel'nikov & Meshkov: the same times Y(d)^2/Y(2 d), d = beta x energy lost in one turn at the barrier's height.

    Equation   ln Y(d) = (1/2 pi) int ln{1 - exp[-d (1/4 + x^2)]}/(1/4 + x^2) dx; Y = d for small d, 1 for large d
    """
    lost = beta * ACTION * friction
    share = np.array([2.0 * _log_share(d) - _log_share(2.0 * d) for d in lost])
    return by_flux(friction, beta) * np.exp(share)


def _log_share(lost: float) -> float:
    """ln Y; with x = tan(a)/2 the range is finite."""
    return quad(lambda a: np.log(-np.expm1(-0.25 * lost / np.cos(a) ** 2)) / np.pi, 0.0, 0.5 * np.pi)[0] * 2.0


def turnover(frictions: Float[np.ndarray, " n"] = FRICTIONS) -> "xarray.Dataset":
    """Slowest eigenvalue of the Kramers operator over friction and barrier, beside both formulas."""
    over = ("beta", "friction")
    rates, errors = np.zeros((2, len(BETAS), len(frictions)))
    status = np.zeros(rates.shape, dtype=int)
    for row, beta in enumerate(BETAS):
        for column, friction in enumerate(frictions):
            particle = jt.classical_oscillator(jt.Polynomial(WELL), float(friction**0.5))
            found = jt.relaxation_rates(particle, beta, 0.0, 1, tol=1e-5)
            rates[row, column], errors[row, column] = float(found.rate[0]), float(found.error[0])
            status[row, column] = int(found.status)
    variables = {
        "rate": (over, rates, "1/time", "sum of both rates of escape"),
        "error": (over, errors, "1/time", "its estimated error"),
        "status": (over, status, "1", "how it ended"),
        "by_flux": (over, np.array([by_flux(frictions, b) for b in BETAS]), "1/time", "Kramers, Grote and Hynes"),
        "by_energy_loss": (
            over,
            np.array([by_energy_loss(frictions, b) for b in BETAS]),
            "1/time",
            "Mel'nikov and Meshkov",
        ),
    }
    coords = {
        "beta": ("beta", list(BETAS), "1/energy", "inverse temperature"),
        "friction": ("friction", frictions, "mass/time", "friction A^2"),
    }
    return labelled(variables, coords).assign_attrs(provenance({"well": WELL, "frictions": frictions}))


def draw(data: "xarray.Dataset", stem: Path) -> list[Path]:
    """The rates over friction, and over what the second formula says."""
    with style():
        fig, (left, right) = figure(1, 2, height=3.2)
        for row, beta in enumerate(data.beta.values):
            one, colour = data.isel(beta=row), PALETTE[1 + row]
            scale = np.exp(beta)
            left.plot(one.friction, scale * one.by_flux, color=colour, linestyle=":", linewidth=0.9)
            left.plot(one.friction, scale * one.by_energy_loss, color=colour, linestyle="--", linewidth=0.9)
            good = one.where(one.status == 0)
            left.plot(good.friction, scale * good.rate, "o", color=colour, markersize=3, label=rf"$\beta B = {beta:g}$")
            right.plot(good.friction, good.rate / good.by_energy_loss, "o-", color=colour, markersize=3)
        left.set(xscale="log", yscale="log", xlabel="friction $A^2$", ylabel=r"rate $\times\; e^{\beta B}$")
        right.set(xscale="log", xlabel="friction $A^2$", ylabel="rate over formula")
        left.legend(loc="lower center")
        panel_title(left, 0, "escape from a well")
        panel_title(right, 1, "beside Mel'nikov and Meshkov")
        caption(fig, "dotted: Kramers, Grote and Hynes; dashed: Mel'nikov and Meshkov; U = (q^2 - 1)^2, B = 1")
        return save(fig, stem)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    folder = Path(*sys.argv[1:2])
    folder.mkdir(parents=True, exist_ok=True)
    data = turnover()
    print(draw(data, folder / "kramers_turnover"), data, sep="\n")

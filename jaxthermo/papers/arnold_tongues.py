"""A driven ring that locks to a change of its force: the figure of docs/jumps.md.

`python -m jaxthermo.papers.arnold_tongues FOLDER` writes arnold_tongues.png and arnold_tongues.svg.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxthermo as jt
from jaxthermo.plot.styles import caption, figure, panel_title, save, style

if TYPE_CHECKING:
    import xarray

BETA, POINTS = 3.5, 200
PERIODS, AMPLITUDES = (2.5, 10.5), (0.0, 0.65)
TRANSIENT, MEASURED, STEPS = 40, 60, 128


def follow(period: Float[Array, ""], amplitude: Float[Array, ""]) -> dict[str, Array]:
    """Rotation number and Lyapunov exponent of a ring whose force swings."""
    ring = jt.PottsRing(3, -1.0, lambda t: 1.0 + amplitude * jnp.cos(2.0 * jnp.pi * t / period), 0.1)
    found = jt.jumps.locking(ring, BETA, period, transient=TRANSIENT, periods=MEASURED, steps=STEPS)
    names = ("rotation_number", "lyapunov", "locked", "status", "residual")
    return {name: getattr(found, name) for name in names}


def tongues(points: int = POINTS) -> "xarray.Dataset":
    """A scan over period and amplitude of the drive."""
    axes: dict[str | tuple[str, ...], object] = {
        "amplitude": np.linspace(*AMPLITUDES, points),
        "period": np.linspace(*PERIODS, points),
    }
    data = jt.scan(follow, axes)
    data["rotation_number"] = np.abs(data.rotation_number)
    data.rotation_number.attrs.update(units="1", long_name="turns in a period")
    data.lyapunov.attrs.update(units="1/time", long_name="largest Lyapunov exponent")
    return data


def draw(data: "xarray.Dataset", stem: Path) -> list[Path]:
    """Both quantities over period and amplitude."""
    with style():
        fig, (left, right) = figure(1, 2, height=3.4)
        jt.plot.scan(data, "rotation_number", left)
        jt.plot.scan(data, "lyapunov", right)
        for panel in (left, right):
            panel.set(xlabel="period of the drive", ylabel="amplitude $a$")
        panel_title(left, 0, "rotation number")
        panel_title(right, 1, "Lyapunov exponent")
        caption(fig, rf"q = 3, u = -1, G = 0.1, beta = {BETA:g}, f = 1 + a cos(2 pi t/period)")
        return save(fig, stem)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    folder = Path(*sys.argv[1:2])
    folder.mkdir(parents=True, exist_ok=True)
    data = tongues(*map(int, sys.argv[2:3]))
    print(draw(data, folder / "arnold_tongues"), data, sep="\n")

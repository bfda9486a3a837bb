"""Driven three-state units on a cubic lattice beside the mean field: the figure of docs/lattices.md and its data.

`python -m jaxthermo.papers.lattices FOLDER` writes lattices.png and lattices.svg.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
from matplotlib.colors import ListedColormap

import jaxthermo as jt
from jaxthermo._types import ScalarLike
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

BETAS = (2.8, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.8, 4.0, 4.25, 4.5, 4.75, 5.0, 5.25, 5.5)
SIDES = (4, 8, 12)
SNAPSHOTS = (3.6, 4.25, 5.0)
# Times that are looked at, after the start from one state is forgotten.
TIMES = (0.0, *np.arange(100.0, 250.1, 1.0))
TRAJECTORIES = 8
QUANTITIES = {"order": "1", "turns": "1/time", "work_current": "energy/time"}


def ring() -> jt.PottsRing:
    """The ring of the paper's figures."""
    return jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)


def measured(
    order: Complex[Array, "*paths time"], work: Float[Array, "*paths time"], times: Float[Array, " time"]
) -> list[Float[Array, "*paths"]]:
    """Mean modulus of the order parameter, turns of its phase and work per unit time, without the first time."""
    order, work = order[..., 1:], work[..., 1:]
    span = times[-1] - times[1]
    phase = jnp.sum(jnp.angle(order[..., 1:] * jnp.conj(order[..., :-1])), axis=-1)
    return [jnp.mean(jnp.abs(order), axis=-1), phase / (2.0 * jnp.pi * span), (work[..., -1] - work[..., 0]) / span]


def on_lattice(beta: ScalarLike, side: int, times: Sequence[float] = TIMES) -> jt.jumps.LatticePaths:
    """Trajectories on a cube of this side, from all units in one state."""
    cube = jt.jumps.cubic_lattice([side] * 3)
    return jt.jumps.simulate_lattice(
        ring(), beta, cube, times, TRAJECTORIES, jax.random.key(side), np.zeros(side**3, int)
    )


def compared(
    betas: Sequence[float] = BETAS, sides: Sequence[int] = SIDES, times: Sequence[float] = TIMES
) -> "xarray.Dataset":
    """Order, turns and work over beta: mean and standard error for cubes, and the mean field."""
    means, errors = (np.zeros((3, len(sides), len(betas))) for _ in range(2))
    limit = np.zeros((3, len(betas)))
    weights = np.exp(2j * np.pi * np.arange(3) / 3)
    for column, beta in enumerate(betas):
        for row, side in enumerate(sides):
            paths = on_lattice(beta, side, times)
            seen = np.asarray(measured(paths.order_parameter, paths.work, paths.time))
            means[:, row, column] = seen.mean(axis=1)
            errors[:, row, column] = seen.std(axis=1) / np.sqrt(TRAJECTORIES)
        run = jt.jumps.evolve(ring(), beta, [0.98, 0.01, 0.01], times)
        order = run.occupation.astype(weights.dtype) @ jnp.asarray(weights)
        limit[:, column] = [float(one) for one in measured(order, run.work, run.time)]
    over = ("side", "beta")
    variables: dict[str, Any] = {}
    for number, (name, unit) in enumerate(QUANTITIES.items()):
        variables[name] = (over, means[number], unit, f"{name} on a cube")
        variables[f"{name}_error"] = (over, errors[number], unit, f"standard error of {name}")
        variables[f"mean_field_{name}"] = ("beta", limit[number], unit, f"{name} of the mean field")
    coords = {
        "side": ("side", list(sides), "1", "units along an axis"),
        "beta": ("beta", list(betas), "1/energy", "inverse temperature"),
    }
    return labelled(variables, coords).assign_attrs(provenance({"trajectories": TRAJECTORIES, "times": times}))


def slice_of(paths: jt.jumps.LatticePaths, side: int) -> Int[np.ndarray, "side side"]:
    """One plane of the first cube in the end."""
    return np.asarray(paths.final_states[0]).reshape(side, side, side)[0]


def draw(data: "xarray.Dataset", planes: dict[float, Int[np.ndarray, "side side"]], stem: Path) -> list[Path]:
    """The three quantities over beta, and planes of the largest cubes."""
    labels = (r"order $|\langle e^{2\pi i s/3}\rangle|$", "turns per unit time", r"work current $\dot w$")
    with style():
        fig, panels = figure(2, 3, height=4.8)
        for panel, name, label in zip(panels, QUANTITIES, labels, strict=False):
            panel.plot(data.beta, data[f"mean_field_{name}"], color=PALETTE[0], label="mean field")
            for number, side in enumerate(data.side.values):
                one = data.sel(side=side)
                panel.errorbar(
                    one.beta, one[name], one[f"{name}_error"], color=PALETTE[1 + number], marker="o", markersize=2.5,
                    linewidth=0.8, label=f"{side}$^3$",
                )  # fmt: skip
            panel.set(xlabel=r"$\beta$", ylabel=label)
        panels[1].legend(loc="upper left")
        colours = ListedColormap([PALETTE[1], PALETTE[6], PALETTE[3]])
        for panel, plane in zip(panels[3:], planes.values(), strict=False):
            panel.imshow(plane, cmap=colours, vmin=0, vmax=2, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
        for panel in panels[3 + len(planes) :]:
            panel.axis("off")
        words = ["order", "turns", "work", *(rf"$\beta$ = {beta:g}" for beta in planes)]
        for index, text in enumerate(words):
            panel_title(panels[index], index, text)
        caption(fig, f"q = 3, u = -1, f = 1, G = 0.1; cubes with six neighbours, {TRAJECTORIES} trajectories")
        return save(fig, stem)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    folder = Path(*sys.argv[1:2])
    folder.mkdir(parents=True, exist_ok=True)
    data = compared()
    side = SIDES[-1]
    planes = {beta: slice_of(on_lattice(beta, side), side) for beta in SNAPSHOTS}
    print(draw(data, planes, folder / "lattices"), data, sep="\n")

"""Engines of many units between two temperatures: the figure of docs/engines_of_units.md and its data.

`python -m jaxthermo.papers.engines_of_units FOLDER` writes engines_of_units.png and engines_of_units.svg.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxthermo as jt
from jaxthermo._types import ScalarLike
from jaxthermo.papers.labels import labelled
from jaxthermo.plot.styles import PALETTE, caption, figure, panel_title, save, style
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

Axes = dict[str | tuple[str, ...], object]

BETAS = (1.0, 2.0)
# Two-state units: gap and load of all, and the couplings that are compared.
GAP, LOAD = 5.0, 1.0
COUPLINGS = {"independent": 0.0, "interacting": -1.7}
UNITS = (1, 2, 3, 5, 8, 12, 20, 32, 50, 80, 128, 200, 320)
# Three-state units: where couplings and loads are tried.
TRIED: Axes = {"coupling": np.linspace(0.0, 7.0, 57), "load": np.linspace(0.02, 1.5, 38)}
ORDERED = (0.9, 0.06, 0.04)


def two_state_units(gap: ScalarLike, load: ScalarLike, coupling: Float[Array, ""]) -> jt.JumpNetwork:
    """Units of two states whose hops are paid by a hot reservoir, or by a cold one against a load.

    Equation   E = gap P_2 + coupling P_1 P_2; both reservoirs act on the one edge; the force of the cold one is `load`
    Source     after Vroylandt, Esposito & Verley, arXiv 1707.00326 (2017)
    """
    energies, pairs = jnp.stack([jnp.zeros(()), jnp.asarray(gap, float)]), jnp.asarray([[0.0, 1.0], [1.0, 0.0]])
    forces = jnp.stack([jnp.zeros(()), jnp.asarray(load, float)])
    return jt.JumpNetwork([(0, 1), (0, 1)], energies, coupling * pairs, forces, reservoirs=[0, 1])


def three_state_units(coupling: Float[Array, ""], load: ScalarLike) -> jt.JumpNetwork:
    """Units of three states (spin 1, 0, -1) whose spins align; the load pushes them round one way in each reservoir.

    Equation   E = -(coupling/2) m^2 with m = P_1 - P_3; the force is -load in the hot and +load in the cold reservoir
    Source     after Filho, Forao, Busiello, Cleuren & Fiore, arXiv 2301.06591
    """
    spin = jnp.asarray([1.0, 0.0, -1.0])
    forces = jnp.asarray(load, float) * jnp.asarray([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
    edges = [(0, 1), (1, 2), (2, 0)] * 2
    return jt.JumpNetwork(edges, np.zeros(3), -coupling * jnp.outer(spin, spin), forces, [0, 0, 0, 1, 1, 1])


def approach(units: Sequence[int] = UNITS) -> "xarray.Dataset":
    """Power per unit and efficiency of two-state units over N and coupling, beside the mean field's."""
    betas = jnp.asarray(BETAS)
    power, efficiency = np.zeros((2, len(units))), np.zeros((2, len(units)))
    limit, tight = np.zeros(2), np.zeros(2)
    for row, coupling in enumerate(COUPLINGS.values()):
        network = two_state_units(GAP, LOAD, jnp.asarray(coupling))
        for column, number in enumerate(units):
            few = jt.jumps.mesoscopic_stationary(network, betas, number)
            found = jt.jumps.conversion(few.work_current, few.heat_currents, betas)
            power[row, column], efficiency[row, column] = float(found.power), float(found.efficiency)
        steady = jt.jumps.stationary(network, betas)
        found = jt.jumps.conversion(steady.work_current, steady.heat_currents, betas)
        limit[row], tight[row] = float(found.power), float(found.efficiency)
    over = ("coupling", "units")
    variables = {
        "power": (over, power, "energy/time", "power per unit"),
        "efficiency": (over, efficiency, "1", "efficiency"),
        "mean_field_power": ("coupling", limit, "energy/time", "power per unit of the mean field"),
        "mean_field_efficiency": ("coupling", tight, "1", "efficiency of the mean field"),
    }
    coords = {
        "coupling": ("coupling", list(COUPLINGS.values()), "energy", "energy of a pair of unlike units"),
        "units": ("units", list(units), "1", "number of units"),
    }
    return labelled(variables, coords).assign_attrs(provenance({"betas": BETAS, "gap": GAP, "load": LOAD}))


def power_of(coupling: Float[Array, ""], load: Float[Array, ""]) -> Float[Array, ""]:
    """Power per three-state unit in the mean field, from an ordered start."""
    steady = jt.jumps.stationary(three_state_units(coupling, load), jnp.asarray(BETAS), jnp.asarray(ORDERED))
    return -steady.work_current


def draw(data: "xarray.Dataset", powers: "xarray.Dataset", stem: Path) -> list[Path]:
    """Power and efficiency over N, and the power of three-state units over coupling and load."""
    with style():
        fig, (left, middle, right) = figure(1, 3, height=3.1)
        for row, name in enumerate(COUPLINGS):
            one, colour = data.isel(coupling=row), PALETTE[1 + row]
            for panel, of in ((left, "power"), (middle, "efficiency")):
                panel.plot(one.units, one[of], color=colour, marker="o", markersize=3, label=name)
                panel.axhline(float(one[f"mean_field_{of}"]), color=colour, linestyle="--", linewidth=0.8)
                panel.set(xscale="log", xlabel="units $N$")
        left.set_ylabel("power per unit")
        middle.set_ylabel(r"efficiency $\eta$")
        left.legend(loc="center left")
        jt.plot.scan(powers, "power", right)
        right.set(xlabel="load $f$", ylabel=r"coupling $\epsilon$")
        for index, text in enumerate(("two states", "two states", "three states, power")):
            panel_title((left, middle, right)[index], index, text)
        caption(
            fig, f"beta = {BETAS[0]:g} and {BETAS[1]:g}; two states: gap {GAP:g}, load {LOAD:g}; dashed: mean field"
        )
        return save(fig, stem)


def engines(axes: Axes = TRIED) -> "xarray.Dataset":
    """The power of three-state units where they are engines; grey elsewhere."""
    found = jt.scan(power_of, axes)
    power = found["value"].where(found["value"] > 0)
    status = found["status"].where(found["value"] > 0, 1)
    return found.assign(power=power.assign_attrs(units="energy/time", long_name="power per unit"), status=status)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    folder = Path(*sys.argv[1:2])
    folder.mkdir(parents=True, exist_ok=True)
    data, powers = approach(), engines()
    print(draw(data, powers, folder / "engines_of_units"), data, powers, sep="\n")

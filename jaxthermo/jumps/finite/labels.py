"""What every dataset of N units says of itself."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxthermo.jumps.finite.observables import FiniteThermodynamics
from jaxthermo.jumps.labels import labelled
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

ABOUT = {
    "occupation": ("1", "mean share N_i/N of the units"),
    "covariance": ("1", "covariance of the shares N_i/N and N_j/N"),
    "energy": ("energy", "mean energy per unit"),
    "entropy": ("k_B", "entropy per unit"),
    "work_current": ("energy/time", "mean work current of the forces per unit"),
    "heat_current": ("energy/time", "mean heat current from all reservoirs per unit"),
    "heat_currents": ("energy/time", "mean heat current from each reservoir per unit"),
    "entropy_production": ("k_B/time", "mean rate of entropy production per unit"),
}


def thermodynamic_variables(flow: FiniteThermodynamics, *leading: str) -> dict[str, Any]:
    """The variables of `labelled` for observables with the given leading dimensions."""
    trailing = {"occupation": ("state",), "covariance": ("state", "other_state"), "heat_currents": ("reservoir",)}
    return {name: ((*leading, *trailing.get(name, ())), getattr(flow, name), *about) for name, about in ABOUT.items()}


def state_coords(q: int) -> dict[str, Any]:
    """Coordinates of the states, counted from 1."""
    numbers = np.arange(1, q + 1)
    return {
        "state": ("state", numbers, "1", "state of a unit"),
        "other_state": ("other_state", numbers, "1", "state of a unit"),
    }


def finite_dataset(
    variables: dict[str, Any], coords: dict[str, Any], model: AbstractJumpModel, beta: Any, units: int, **attrs: Any
) -> "xarray.Dataset":
    """A labelled dataset with the model's parameters in its provenance."""
    own = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return labelled(variables, coords).assign_attrs({**attrs, **provenance({"units": units, "beta": beta, **own})})

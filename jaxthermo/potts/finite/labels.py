"""What every dataset of a finite ring says of itself."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxthermo.potts.finite.observables import FiniteThermodynamics
from jaxthermo.potts.labels import labelled
from jaxthermo.potts.ring import PottsRing
from jaxthermo.provenance import provenance

if TYPE_CHECKING:
    import xarray

ABOUT = {
    "occupation": ("1", "mean share N_i/N of the units"),
    "covariance": ("1", "covariance of the shares N_i/N and N_j/N"),
    "energy": ("energy", "mean energy per unit"),
    "entropy": ("k_B", "entropy per unit"),
    "work_current": ("energy/time", "mean work current of the force per unit"),
    "heat_current": ("energy/time", "mean heat current into the ring per unit"),
    "entropy_production": ("k_B/time", "mean rate of entropy production per unit"),
}


def thermodynamic_variables(flow: FiniteThermodynamics, *leading: str) -> dict[str, Any]:
    """The variables of `labelled` for observables with the given leading dimensions."""
    trailing = {"occupation": ("state",), "covariance": ("state", "other_state")}
    return {name: ((*leading, *trailing.get(name, ())), getattr(flow, name), *about) for name, about in ABOUT.items()}


def state_coords(q: int) -> dict[str, Any]:
    """Coordinates of the states, counted from 1."""
    numbers = np.arange(1, q + 1)
    return {
        "state": ("state", numbers, "1", "state of the ring"),
        "other_state": ("other_state", numbers, "1", "state of the ring"),
    }


def finite_dataset(
    variables: dict[str, Any], coords: dict[str, Any], ring: PottsRing, beta: Any, units: int, **attrs: Any
) -> "xarray.Dataset":
    """A labelled dataset with the ring's parameters in its provenance."""
    parameters = {
        "q": ring.q,
        "units": units,
        "beta": beta,
        "coupling": ring.coupling,
        "force": ring.force,
        "prefactor": ring.prefactor,
        "energies": ring.energies,
        "rates": ring.rates,
    }
    return labelled(variables, coords).assign_attrs({**attrs, **provenance(parameters)})

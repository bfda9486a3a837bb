"""The rings of Herpich & Esposito 2019: the paper's parameters, and attractors from its start, lane by lane."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from jaxthermo._status import coded
from jaxthermo.papers import labels
from jaxthermo.potts import Phase, PottsRing, Stationary, critical_beta, fold_beta
from jaxthermo.potts.attractor import long_time_lanes
from jaxthermo.potts.converter import FEW_ROUNDS
from jaxthermo.solve.lanes import Progress

COUPLING, PREFACTOR, FORCE = -1.0, 0.1, 1.0
PARAMETERS = {"coupling": COUPLING, "prefactor": PREFACTOR, "max_rounds": FEW_ROUNDS, "start": "P_1 = 1 - 1e-9"}
POWER = "energy/time"
FOLD_NAME = "beta_c2, the fold of the localised states"


def attractors(
    q: int,
    betas: Any,
    forces: Any,
    advance: Progress | None = None,
    *,
    coupling: float = COUPLING,
    energies: np.ndarray | None = None,
    starts: np.ndarray | None = None,
    rounds: int = FEW_ROUNDS,
) -> Stationary:
    """Attractors for lanes of (beta, force), from P_1 = 1; or with (lanes, q) energies or starts of their own."""
    forces = np.asarray(forces, dtype=float)
    energies = np.zeros((len(forces), q)) if energies is None else energies
    rings = jax.vmap(lambda force, each: PottsRing(q, coupling, force, PREFACTOR, energies=each))(forces, energies)
    # Without a warning: figures and tables mark the undecided lanes.
    return long_time_lanes(rings, betas, starts, rounds, advance=advance)


def labelled(variables: dict[str, Any], coords: dict[str, Any]) -> xarray.Dataset:
    """A labelled dataset whose phases are spelt out."""
    dataset = labels.labelled(variables, coords)
    for name in dataset.data_vars:
        if str(name).startswith("phase"):
            dataset[name].attrs |= coded(Phase.words())
    return dataset


def folds(q: int, forces: np.ndarray) -> np.ndarray:
    """Exact beta of the birth of the localised states at each force; for q = 2 that is beta_c1."""
    if q == 2:
        return np.full(len(forces), onset(q))
    return np.asarray(_folds(jax.vmap(lambda force: PottsRing(q, COUPLING, force, PREFACTOR))(jnp.asarray(forces))))


_folds = jax.jit(jax.vmap(fold_beta))


def onset(q: int) -> float:
    """beta_c1 of the paper's ring."""
    return float(critical_beta(PottsRing(q, COUPLING, FORCE, PREFACTOR)))

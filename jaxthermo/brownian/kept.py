"""States of a driven solve that were kept in its dataset."""

import json
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxthermo.brownian.automatic import with_depth
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import members_of
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.state import State, measured_state

if TYPE_CHECKING:
    import xarray

NOT_KEPT = "`dataset` must hold its states: make it with jt.drive(..., keep_states=True) or jt.run_cycle(...)"


def state_of(dataset: "xarray.Dataset", oscillator: Any, time: Any) -> State:
    """The state nearest to one time of a dataset made with `keep_states=True`, to be driven on or looked at.

    Raises     ValueError if the dataset has no states, or the oscillator's hierarchy is not that of its states
    """
    check_oscillator(oscillator)
    if "members" not in dataset:
        raise ValueError(NOT_KEPT)
    grid, oscillator = grid_of(dataset), with_depth_of(dataset, oscillator)
    if len(members_of(oscillator)) != dataset.sizes["member"]:
        raise ValueError(
            f"`oscillator` must have the {dataset.sizes['member']} members of the dataset's states, "
            f"but has {len(members_of(oscillator))}"
        )
    index = int(np.abs(np.asarray(dataset.time) - float(time)).argmin())
    here = dataset.isel(time=index)
    V, beta, x, now = (jnp.asarray(here[name].values) for name in ("members", "beta", "x", "time"))
    unknown = jnp.asarray(jnp.nan)
    oscillator = eqx.tree_at(lambda o: o.grid, oscillator, grid, is_leaf=lambda leaf: leaf is None)
    return measured_state(oscillator, V, beta, x, unknown, unknown, now)


def grid_of(dataset: "xarray.Dataset") -> PhaseGrid:
    """The phase grid that a dataset was made on."""
    return PhaseGrid(**json.loads(dataset.attrs["parameters"])["grid"])


def with_depth_of(dataset: "xarray.Dataset", oscillator: Oscillator) -> Oscillator:
    """The oscillator with the dataset's depth of the hierarchy, where its own was left open."""
    if oscillator.bath.depth is not None:
        return oscillator
    depth = json.loads(dataset.attrs["parameters"])["depth"]
    return eqx.tree_at(lambda o: o.bath, oscillator, with_depth(oscillator.bath, depth))

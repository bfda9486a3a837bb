"""The data of figures, from several results, as labelled datasets."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray


def labelled(variables: dict[str, Any], coords: dict[str, Any]) -> "xarray.Dataset":
    """A dataset from (dimensions, values, units, long name) of each variable and coordinate."""
    import xarray

    dataset = xarray.Dataset(
        {name: (dims, np.asarray(values)) for name, (dims, values, _, _) in variables.items()},
        coords={name: (dims, np.asarray(values)) for name, (dims, values, _, _) in coords.items()},
    )
    for name, (_, _, units, long_name) in (variables | coords).items():
        dataset[name].attrs = {"units": units, "long_name": long_name}
    return dataset

"""Results of the ring as labelled datasets."""

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


def coded(words: tuple[str, ...]) -> dict[str, Any]:
    """Attributes that spell out integer codes; codes, since zarr has no settled type for words."""
    return {"flag_values": list(range(len(words))), "flag_meanings": " ".join(word.replace(" ", "_") for word in words)}

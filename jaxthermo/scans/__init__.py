"""Many lanes of one calculation."""

from jaxthermo.scans.axes import with_units
from jaxthermo.scans.files import StoreError
from jaxthermo.scans.run import scan
from jaxthermo.solve.lanes import map_lanes

__all__ = [
    "StoreError",
    "map_lanes",
    "scan",
    "with_units",
]


def __dir__() -> list[str]:
    return sorted(__all__)

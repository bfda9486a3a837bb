"""Many lanes of one calculation."""

from jaxthermo.scans.files import StoreError as StoreError
from jaxthermo.scans.run import scan as scan
from jaxthermo.scans.units import with_units as with_units
from jaxthermo.solve.lanes import map_lanes as map_lanes

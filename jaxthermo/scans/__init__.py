"""Many lanes of one calculation."""

from jaxthermo.scans.files import StoreError as StoreError
from jaxthermo.scans.lanes import map_lanes as map_lanes
from jaxthermo.scans.run import scan as scan
from jaxthermo.scans.status import STATUS as STATUS
from jaxthermo.scans.status import Outcome as Outcome
from jaxthermo.scans.units import with_units as with_units

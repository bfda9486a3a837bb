"""Many lanes of one calculation."""

from jaxthermo.scans.lanes import map_lanes as map_lanes

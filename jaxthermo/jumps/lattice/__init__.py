"""Units that see their neighbours only: lattices, and exact trajectories on them."""

from jaxthermo.jumps.lattice.neighbours import cubic_lattice as cubic_lattice
from jaxthermo.jumps.lattice.paths import LatticePaths as LatticePaths, simulate_lattice as simulate_lattice

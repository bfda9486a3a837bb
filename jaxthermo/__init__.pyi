"""What `jaxthermo` exports, and where each is from: read by type checkers, and when a name is first asked for."""

from . import (
    brownian as brownian,
    jumps as jumps,
    plot as plot,
    potts as potts,
    protocols as protocols,
    scans as scans,
    search as search,
)
from ._status import (
    Status as Status,
)
from .advice import (
    audit as audit,
)
from .brownian import (
    AbstractBath as AbstractBath,
    AbstractPotential as AbstractPotential,
    DrudeBath as DrudeBath,
    OhmicBath as OhmicBath,
    PhaseGrid as PhaseGrid,
    Polynomial as Polynomial,
    SplitStep as SplitStep,
    State as State,
    SwitchedBaths as SwitchedBaths,
    classical_oscillator as classical_oscillator,
    correlation as correlation,
    drive as drive,
    equilibrium as equilibrium,
    grid_for as grid_for,
    isentropic_field as isentropic_field,
    planck_potential as planck_potential,
    quantum_oscillator as quantum_oscillator,
    relaxation_rates as relaxation_rates,
    run_cycle as run_cycle,
    spectrum as spectrum,
    work_fluctuations as work_fluctuations,
)
from .cache import (
    enable_cache as enable_cache,
)
from .citation import (
    cite as cite,
)
from .environment import (
    about as about,
)
from .interrupted import (
    Interrupted as Interrupted,
)
from .jumps import (
    JumpNetwork as JumpNetwork,
    bounds as bounds,
)
from .potts import (
    PottsRing as PottsRing,
)
from .protocols import (
    AbstractCycle as AbstractCycle,
    CarnotCycle as CarnotCycle,
    Constant as Constant,
    Fourier as Fourier,
    FourierCycle as FourierCycle,
    OttoCycle as OttoCycle,
    PeriodicCycle as PeriodicCycle,
    PiecewiseCycle as PiecewiseCycle,
    Ramp as Ramp,
    SplineCycle as SplineCycle,
    StirlingCycle as StirlingCycle,
    Table as Table,
)
from .scans import (
    scan as scan,
)
from .search import (
    minimum_work as minimum_work,
    optimal_ramp as optimal_ramp,
    optimise_cycle as optimise_cycle,
    potentials as potentials,
)

__version__: str

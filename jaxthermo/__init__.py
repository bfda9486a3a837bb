"""jaxthermo: GPU-accelerated, differentiable thermodynamics far from equilibrium."""

import importlib
from types import ModuleType

from jaxthermo._collection import paused_collection

with paused_collection():
    from jaxthermo import brownian, jumps, potts, protocols, scans, search
    from jaxthermo._status import Status
    from jaxthermo.advice import audit
    from jaxthermo.brownian import (
        AbstractBath,
        AbstractPotential,
        DrudeBath,
        OhmicBath,
        PhaseGrid,
        Polynomial,
        SplitStep,
        State,
        SwitchedBaths,
        classical_oscillator,
        correlation,
        drive,
        equilibrium,
        grid_for,
        isentropic_field,
        planck_potential,
        quantum_oscillator,
        relaxation_rates,
        run_cycle,
        spectrum,
    )
    from jaxthermo.cache import enable_cache
    from jaxthermo.citation import cite
    from jaxthermo.environment import about
    from jaxthermo.interrupted import Interrupted
    from jaxthermo.jumps import JumpNetwork, bounds
    from jaxthermo.potts import PottsRing
    from jaxthermo.protocols import (
        AbstractCycle,
        CarnotCycle,
        Constant,
        Fourier,
        FourierCycle,
        OttoCycle,
        PeriodicCycle,
        PiecewiseCycle,
        Ramp,
        SplineCycle,
        StirlingCycle,
        Table,
    )
    from jaxthermo.scans import scan
    from jaxthermo.search import minimum_work, optimal_ramp, optimise_cycle, potentials

__version__ = "0.2.0"

__all__ = [
    "AbstractBath",
    "AbstractCycle",
    "AbstractPotential",
    "CarnotCycle",
    "Constant",
    "DrudeBath",
    "Fourier",
    "FourierCycle",
    "Interrupted",
    "JumpNetwork",
    "OhmicBath",
    "OttoCycle",
    "PeriodicCycle",
    "PhaseGrid",
    "PiecewiseCycle",
    "Polynomial",
    "PottsRing",
    "Ramp",
    "SplineCycle",
    "SplitStep",
    "State",
    "Status",
    "StirlingCycle",
    "SwitchedBaths",
    "Table",
    "__version__",
    "about",
    "audit",
    "bounds",
    "brownian",
    "cite",
    "classical_oscillator",
    "correlation",
    "drive",
    "enable_cache",
    "equilibrium",
    "grid_for",
    "isentropic_field",
    "jumps",
    "minimum_work",
    "optimal_ramp",
    "optimise_cycle",
    "planck_potential",
    "potentials",
    "potts",
    "protocols",
    "quantum_oscillator",
    "relaxation_rates",
    "run_cycle",
    "scan",
    "scans",
    "search",
    "spectrum",
]


def __getattr__(name: str) -> ModuleType:
    """`jt.plot`, which loads Matplotlib, is imported when it is first asked for."""
    if name != "plot":
        raise AttributeError(f"module 'jaxthermo' has no attribute {name!r}")
    try:
        return importlib.import_module("jaxthermo.plot")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "`jt.plot` needs Matplotlib: pip install 'jaxthermo[plot]'", name=error.name
        ) from None


def __dir__() -> list[str]:
    """What is exported, and `plot`."""
    return [*__all__, "plot"]

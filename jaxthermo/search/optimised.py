"""What searches for better engines give: a cycle beside the one it started from, and a Pareto front."""

from jaxtyping import Array, Float, Int

from jaxthermo._parameters import shown
from jaxthermo._results import AbstractResult, quantity
from jaxthermo._status import Status
from jaxthermo.brownian.oscillator import Oscillator
from jaxthermo.protocols import AbstractCycle
from jaxthermo.search.objectives import Objective, efficiency, entropy_production_rate, power

MEASURES = {"power": power, "efficiency": efficiency, "entropy_production_rate": entropy_production_rate}
POWER, EFFICIENCY, RATE = (
    ("energy/time", "work done per unit time"),
    ("1", "work done over the heat taken in"),
    ("k_B/time", "entropy produced per unit time"),
)


class OptimisedCycle(AbstractResult):
    """A cycle improved by `optimise_cycle`, beside the one it started from.

    Both are run afresh under control of the time step, and what these runs say of themselves is in `start_status` and
    `cycle_status`; `search_status` says how the search ended, `status` is the first of these that is not ok. The
    history has every cycle tried on the time steps of the search. `stats`: `evaluations`.
    """

    status: Int[Array, ""]
    stats: dict[str, int]
    oscillator: Oscillator
    objective: Objective
    constraints: tuple[Objective, ...]
    start: AbstractCycle
    cycle: AbstractCycle
    value: Float[Array, ""] = quantity("unit of the objective", "the objective of the improved cycle")
    start_value: Float[Array, ""] = quantity("unit of the objective", "the objective of the first cycle")
    power: Float[Array, ""] = quantity(*POWER)
    start_power: Float[Array, ""] = quantity(POWER[0], f"{POWER[1]}, by the first cycle")
    efficiency: Float[Array, ""] = quantity(*EFFICIENCY)
    start_efficiency: Float[Array, ""] = quantity(EFFICIENCY[0], f"{EFFICIENCY[1]}, of the first cycle")
    entropy_production_rate: Float[Array, ""] = quantity(*RATE)
    start_entropy_production_rate: Float[Array, ""] = quantity(RATE[0], f"{RATE[1]}, by the first cycle")
    missed: Float[Array, ""] = quantity("unit of the constraints", "by how much the worst constraint is missed")
    cycle_status: Int[Array, ""] = quantity("1", "how the run of the improved cycle ended", codes=Status)
    start_status: Int[Array, ""] = quantity("1", "how the run of the first cycle ended", codes=Status)
    search_status: Int[Array, ""] = quantity("1", "how the search ended", codes=Status)
    history: Float[Array, " evaluations"] = quantity("unit of the objective", "objective of each try", ("evaluation",))
    history_power: Float[Array, " evaluations"] = quantity(POWER[0], f"{POWER[1]}, by each try", ("evaluation",))
    history_entropy_production_rate: Float[Array, " evaluations"] = quantity(
        RATE[0], f"{RATE[1]}, by each try", ("evaluation",)
    )

    @property
    def improvement(self) -> Float[Array, ""]:
        """What the search has added to the objective."""
        return self.value - self.start_value

    def _found(self) -> list[tuple[str, str]]:
        """Each parameter that the search has changed, beside where it started."""
        pairs = [(name, getattr(self.cycle, name), before) for name, before in vars(self.start).items()]
        return [
            (f"cycle.{name}", f"{shown(now)}, started at {shown(before)}")
            for name, now, before in pairs
            if shown(now) != shown(before)
        ]


class ParetoFront(AbstractResult):
    """Cycles between most power and least entropy production, made by `pareto_front`; `point` numbers them."""

    status: Int[Array, ""]
    stats: dict[str, int]
    oscillator: Oscillator
    cycles: tuple[AbstractCycle, ...]
    power: Float[Array, " point"] = quantity(*POWER, ("point",), main=True)
    efficiency: Float[Array, " point"] = quantity(*EFFICIENCY, ("point",), main=True)
    entropy_production_rate: Float[Array, " point"] = quantity(*RATE, ("point",), main=True)
    work: Float[Array, " point"] = quantity("energy", "work done on the oscillator in one cycle", ("point",))
    cycle_status: Int[Array, " point"] = quantity("1", "how the run of each cycle ended", ("point",), codes=Status)

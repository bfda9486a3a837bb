"""GillesPy2's C++ solver on a ring of N units: run by `gillespie.py` as a script, in an interpreter that has GillesPy2.

Takes the parameters as JSON in its only argument, and prints one line of JSON. Knows nothing of jaxthermo.
"""

import json
import sys
import time
from typing import Any


def solver_of(q: int, units: int, coupling: float, force: float, prefactor: float, beta: float, t_end: float) -> Any:
    """The compiled solver; counts start evenly."""
    import gillespy2

    model = gillespy2.Model(name="ring")
    species = [gillespy2.Species(name=f"N{i}", initial_value=units // q) for i in range(q)]
    model.add_species(species)
    share, half = coupling / units, 0.5 * beta
    for i in range(q):
        j = (i + 1) % q
        # Counts are unsigned in the C++ that comes of this, and a negative difference of them is 2^32 too large.
        gap = f"(1.0*N{j}-1.0*N{i})"
        up = f"N{i}*{prefactor!r}*exp(-{half!r}*(({share!r})*({gap}+1.0)-({force!r})))"
        down = f"N{j}*{prefactor!r}*exp({half!r}*(({share!r})*({gap}-1.0)-({force!r})))"
        for name, source, target, rate in ((f"up{i}", i, j, up), (f"down{i}", j, i, down)):
            hop = {"reactants": {species[source]: 1}, "products": {species[target]: 1}}
            model.add_reaction(gillespy2.Reaction(name=name, propensity_function=rate, **hop))
    model.timespan(gillespy2.TimeSpan.linspace(t=t_end, num_points=2))
    return gillespy2.SSACSolver(model=model)


def main(trajectories: int, repeats: int, **parameters: Any) -> dict[str, Any]:
    """Seconds to compile and of every run, and the final counts of the last one."""
    begin = time.perf_counter()
    solver = solver_of(**parameters)
    solver.run(number_of_trajectories=1, seed=1)
    seconds = [time.perf_counter() - begin]
    done: Any = ()
    for repeat in range(repeats):
        begin = time.perf_counter()
        done = solver.run(number_of_trajectories=trajectories, seed=2 + repeat)
        seconds.append(time.perf_counter() - begin)
    counts = [[int(one[f"N{i}"][-1]) for i in range(parameters["q"])] for one in done]
    return {"compile_seconds": seconds[0], "seconds": seconds[1:], "counts": counts}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))

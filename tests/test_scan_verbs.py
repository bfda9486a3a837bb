"""`jt.scan` over the library's verbs as they are, against a loop over them."""

import jax.numpy as jnp
import numpy as np
import pytest
from systems import quartic, ring

import jaxthermo as jt
from jaxthermo._results import quantities

TIMES = np.linspace(0.0, 1.0, 3)


def stationary(beta, force):
    return jt.potts.stationary(ring(force), beta)


def evolve(beta):
    return jt.potts.evolve(ring(), beta, [0.8, 0.1, 0.1], TIMES)


def limit_cycle(beta):
    return jt.potts.limit_cycle(ring(), beta)


def mesoscopic(beta):
    return jt.potts.mesoscopic_stationary(ring(), beta, 12)


def equilibrium(beta):
    return jt.equilibrium(quartic(), beta, 0.3)


def drive(x):
    return jt.drive(quartic(), 1.0, lambda t: x * jnp.asarray(t), TIMES, dt=0.125)


def run_cycle(period):
    return jt.run_cycle(quartic(), jt.StirlingCycle(0.7, 1.0, 0.6, 0.2, period), points=2, steps=4)


# A lane's numbers may differ from the verb's own by rounding, which solves amplify.
VERBS = [
    (stationary, {"beta": [1.0, 4.0], "force": [0.5, 1.0]}, 1e-8),
    (evolve, {"beta": [1.0, 4.0]}, 1e-8),
    (limit_cycle, {"beta": [4.0, 4.5]}, 1e-8),
    (mesoscopic, {"beta": [1.0, 2.0]}, 1e-9),
    (equilibrium, {"beta": [0.7, 0.8]}, 1e-8),
    (drive, {"x": [0.3, 0.5]}, 1e-8),
    (run_cycle, {"period": [4.0, 5.0]}, 1e-6),
]


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
@pytest.mark.parametrize(("verb", "axes", "error"), VERBS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_scan_is_the_loop_over_a_verb(verb, axes, error):
    """All labelled arrays, the status and what is counted; what has an axis' name is in `result_...`."""
    data = jt.scan(verb, **axes)
    last = {name: values[-1] for name, values in axes.items()}
    alone, lane = verb(**last), data.sel(last)
    assert int(lane.status) == int(alone.status)
    labels = quantities(alone)
    for name, label in labels.items():
        found = lane[f"result_{name}" if name in axes else name]
        values = np.asarray(getattr(alone, name))
        assert found.attrs["units"] == label.units and found.dims == label.dims
        # What only says how well a solve went is not the same number twice.
        if name not in ("residual", "error", "step_error", "first_law_residual", "coarse", "edge", "tail"):
            np.testing.assert_allclose(found, values, rtol=error, atol=error, err_msg=name)
    assert set(alone.stats) <= set(data.variables)

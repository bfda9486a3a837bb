"""Whole searches on forms other than Stirling's: Fourier, spline and Otto; the power found holds on a finer grid."""

import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.search.free_parameters import value_at

QUARTIC, HARMONIC = jt.Polynomial([0.0, 0.0, 0.1, 0.02, 0.05]), jt.Polynomial([0.0, 0.0, 0.5])
STIRLING = jt.StirlingCycle(0.5, 1.0, 1.5, 1.0, 20.0)
# Phases as those of the Stirling cycle: hot while x falls.
FOURIER = jt.FourierCycle(0.75, [0.0], [-0.2], 1.25, [0.2], [0.0], 24.0, (0.5, 1.0), (0.5, 2.0))
FOURIER_BOUNDS = {
    "beta_series.cosines": (-0.5, 0.5),
    "beta_series.sines": (-0.5, 0.5),
    "x_series.cosines": (-0.8, 0.8),
    "x_series.sines": (-0.8, 0.8),
    "period": (12.0, 40.0),
}
SPLINES = jt.SplineCycle.along(STIRLING, 8)
SPLINE_BOUNDS = {"beta_coefficients": (0.5, 1.0), "x_coefficients": (0.5, 2.0), "period": (10.0, 40.0)}
OTTO = jt.OttoCycle(0.5, 1.0, 0.0, -0.3, 24.0)
OTTO_BOUNDS = {"x_hot": (-0.2, 0.4), "x_cold": (-0.4, 0.2), "period": (16.0, 60.0)}


def quartic(q_step, p_max, p_step):
    return jt.classical_oscillator(QUARTIC, 1.0, jt.PhaseGrid(5.6, q_step, p_max, p_step))


def breathing(q_step, p_step):
    grid = jt.PhaseGrid(9.0, q_step, 7.5, p_step)
    return jt.classical_oscillator(HARMONIC, 1.0, grid, coordinate=jt.Polynomial([0.0, 0.0, -0.5]))


# Meshes of a search are coarse, and say so.
@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
@pytest.mark.parametrize(
    ("cycle", "bounds", "coarse", "fine"),
    [
        (FOURIER, FOURIER_BOUNDS, quartic(0.4, 9.0, 0.75), quartic(0.28, 10.5, 0.5)),
        (SPLINES, SPLINE_BOUNDS, quartic(0.4, 9.0, 0.75), quartic(0.28, 10.5, 0.5)),
        (OTTO, OTTO_BOUNDS, breathing(0.6, 0.6), breathing(0.45, 0.5)),
    ],
    ids=["fourier", "spline", "otto"],
)
def test_a_search_ends_better_than_it_began_and_a_finer_grid_agrees(cycle, bounds, coarse, fine):
    found = jt.optimise_cycle(coarse, cycle, jt.search.power, bounds, 3, progress=False)
    gain = float(found.power - found.start_power)
    assert gain > 0.2 * abs(float(found.start_power)), (found.start_power, found.power)
    # The work of switching baths counts.
    powers = [float(jt.search.power(jt.run_cycle(fine, c, 1e-5, points=3), c)) for c in (cycle, found.cycle)]
    assert powers[1] - powers[0] == pytest.approx(gain, rel=0.1)
    for name, (low, high) in bounds.items():
        values = np.asarray(value_at(found.cycle, name))
        assert np.all((low <= values) & (values <= high)), name

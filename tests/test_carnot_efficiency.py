"""Carnot's efficiency against the coupling, from closed moments, for the claim of Koyanagi & Tanimura's Sec. III.4."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxthermo.papers.engine import carnot


def test_carnots_efficiency_has_its_best_coupling():
    """docs/cycles.md, from another program for the same moments: 0.2782 at A^2 = 0.1 and period 400, 0.4000 at 800."""
    for period, expected in ((400.0, 0.2782), (800.0, 0.4000)):
        work, hot, cold, *switching = np.asarray(carnot._ledgers(jnp.asarray([0.1]), period))[0]
        assert -(work + sum(switching)) / hot == pytest.approx(expected, abs=1e-4)
        assert work + hot + cold + sum(switching) == pytest.approx(0.0, abs=1e-10)
    found = np.asarray(carnot.efficiencies().efficiency.sel(period=800.0))
    assert 0.2 < carnot.COUPLINGS[np.nanargmax(found)] < 0.5 and np.nanmax(found) < 0.5
    assert np.isnan(found[0]) and np.isnan(found[-1])

"""Further cycles with the works of Table 4: steps along flat directions, the stored cycles, what holds for them."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import jaxthermo as jt
from jaxthermo.papers.engine import carnot, cycle_inference, data, ensemble, flat_directions
from jaxthermo.protocols.cycle import check_cycle

# Three equations of six unknowns, curved, solved in the middle of the box.
MATRIX = np.random.default_rng(1).normal(size=(3, 6))
MIDDLE = np.full(6, 0.5)


def curved(point):
    moved = point - MIDDLE
    return 100.0 * (MATRIX @ moved + 0.5 * np.array([moved @ moved, moved[0] * moved[1], moved[2] ** 2]))


def test_a_step_along_a_flat_direction_ends_at_another_solution():
    direction = np.random.default_rng(2).normal(size=6)
    jacobian = 100.0 * MATRIX
    along = flat_directions.along_flat(direction, jacobian)
    assert np.abs(jacobian @ along).max() < 1e-11 and np.linalg.norm(along) == pytest.approx(1.0)
    settings = {"margin": 0.01, "enough": 1e-3, "max_evaluations": 12}
    end = flat_directions.another(curved, MIDDLE, jacobian, direction, 0.3, **settings)
    # The step alone breaks the equations by their curvature; secant steps of least norm bring them back.
    assert np.abs(curved(MIDDLE + 0.3 * along)).max() > 1.0
    assert np.abs(curved(end.point)).max() <= 1e-3 and end.evaluations <= 8
    assert np.linalg.norm(end.point - MIDDLE - 0.3 * along) < 0.1
    # Further than the walls allow, the step is shorter.
    far = flat_directions.another(curved, MIDDLE, jacobian, direction, 5.0, **settings)
    assert np.all((far.point >= 0.0) & (far.point <= 1.0)) and np.linalg.norm(far.point - MIDDLE) > 0.3


def test_a_secant_learns_the_slope_along_its_steps():
    secant = flat_directions.Secant(lambda p: MATRIX @ p, np.zeros((3, 6)))
    steps = np.eye(6)
    secant(np.zeros(6))
    for step in np.cumsum(steps, axis=0):
        _, learnt = secant(step)
    np.testing.assert_allclose(learnt, MATRIX, atol=1e-12)
    assert flat_directions.inside(MIDDLE, np.array([1.0, 0, 0, 0, 0, -0.1]), 0.1) == pytest.approx(0.4)
    assert flat_directions.inside(np.full(2, 0.95), np.array([1.0, 0.0]), 0.1) == 0.0


def test_the_search_keeps_what_has_the_works_and_says_so(monkeypatch, tmp_path):
    start = (np.array(data.INFERRED) - ensemble.LOW) / (ensemble.HIGH - ensemble.LOW)
    jacobian = np.random.default_rng(3).normal(size=(6, 15)) * 50.0
    asked = []

    def misfit(point):
        asked.append(point)
        return jacobian @ (point - start) + (10.0 if len(asked) > 2 else 0.0)

    monkeypatch.setattr(ensemble, "slopes", lambda point: jacobian)
    monkeypatch.setattr(ensemble, "misfit", misfit)
    monkeypatch.setattr(ensemble, "EVALUATIONS", 1)
    found = ensemble.others(tmp_path, 2)
    # The second never comes back to the works.
    assert len(found) == 1 and np.abs(np.array(found[0]) - data.INFERRED).max() > 1e-3
    record = json.loads((tmp_path / "stirling_others.json").read_text())
    assert record["cycles"] == [list(found[0])] and tuple(record["names"]) == cycle_inference.NAMES


@pytest.mark.parametrize("parameters", data.MEMBERS, ids=lambda p: f"beta_hot={p[0]:g}")
def test_stored_cycles_have_the_classical_works(parameters):
    """At A = 1, whose work is printed most sharply; all six: tests/test_stirling_report.py."""
    cycle = ensemble.cycle_of(parameters)
    check_cycle(cycle)
    printed = data.TABLE_4["classical", 1.0]
    run = jt.run_cycle(data.oscillator("classical", 1.0), cycle, tol=1e-5, points=4)
    assert run.outcome == "ok" and abs(float(run.work) - printed.work) < printed.rounding


def test_stored_cycles_differ_and_lie_inside_the_bounds():
    every = np.array([data.INFERRED, *data.MEMBERS])
    assert len(every) >= 4 and np.all((every >= ensemble.LOW) & (every <= ensemble.HIGH))
    shares = (every - ensemble.LOW) / (ensemble.HIGH - ensemble.LOW)
    apart = [np.linalg.norm(a - b) for i, a in enumerate(shares) for b in shares[:i]]
    assert min(apart) > 0.1


def test_carnots_efficiency_has_its_best_coupling():
    """docs/cycles.md, from another program for the same moments: 0.2782 at A^2 = 0.1 and period 400, 0.4000 at 800."""
    for period, expected in ((400.0, 0.2782), (800.0, 0.4000)):
        work, hot, cold, *switching = np.asarray(carnot._ledgers(jnp.asarray([0.1]), period))[0]
        assert -(work + sum(switching)) / hot == pytest.approx(expected, abs=1e-4)
        assert work + hot + cold + sum(switching) == pytest.approx(0.0, abs=1e-10)
    found = np.asarray(carnot.efficiencies().efficiency.sel(period=800.0))
    assert 0.2 < carnot.COUPLINGS[np.nanargmax(found)] < 0.5 and np.nanmax(found) < 0.5
    assert np.isnan(found[0]) and np.isnan(found[-1])


def described(shift, horizontal):
    works = ensemble.PRINTED.reshape(2, 3) + shift
    axes = ("kind", "strength")
    return xarray.Dataset(
        {
            "parameter": ("name", np.array(data.INFERRED)),
            "work": (axes, works),
            "absorbed": (axes, np.ones((2, 3))),
            "entropy": (axes, np.tile([0.1, 0.2, 0.3], (2, 1))),
            "apart": (("energy", "strength"), np.tile([0.1, 0.2, 0.3], (2, 1))),
            "horizontal": ((), horizontal),
            "ok": (axes, np.ones((2, 3))),
        },
        coords={"strength": list(data.STRENGTHS), "name": list(cycle_inference.NAMES)},
    )


def test_statements_are_counted_over_the_cycles_that_fit():
    text = ensemble.text([described(0.0, 0.2), described(1e-6, 0.0), described(1e-3, 0.2)])
    assert "2 of 3 cycles have all six works" in text
    assert "| The larger the coupling, the smaller the quantum effect on the work | all of them |" in text
    assert "| Horizontal pieces: X moves while x and beta rest | 1 of 2 |" in text
    assert jnp.isfinite(ensemble.residuals(described(0.0, 0.2))).all()

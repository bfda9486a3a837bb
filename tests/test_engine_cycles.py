"""Further cycles with the works of Table 4: walks along flat directions, the stored cycles, what holds for them."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.papers.engine import cycle_entropy, cycle_facts, cycle_inference, data, ensemble, ensemble_report
from jaxthermo.papers.engine.flat_directions import Place, corrected, flat_part, room, walk, with_learnt_slopes
from jaxthermo.papers.engine.runs import slower
from jaxthermo.protocols.cycle import check_cycle

# Three equations of six unknowns, curved, solved in the middle of the box.
MATRIX = np.random.default_rng(1).normal(size=(3, 6))
MIDDLE = np.full(6, 0.5)
START = Place(MIDDLE, np.zeros(3), 100.0 * MATRIX)
CYCLES = cycle_facts.stored()["cycles"]


def curved(point):
    moved = point - MIDDLE
    return 100.0 * (MATRIX @ moved + 0.5 * np.array([moved @ moved, moved[0] * moved[1], moved[2] ** 2]))


def test_a_walk_along_a_flat_direction_ends_at_another_solution():
    direction = np.random.default_rng(2).normal(size=6)
    along = flat_part(direction, START.jacobian, MIDDLE, 0.01)
    assert np.abs(START.jacobian @ along).max() < 1e-11 and np.linalg.norm(along) == pytest.approx(1.0)
    # The step alone breaks the equations by their curvature; steps of least norm bring them back.
    assert np.abs(curved(MIDDLE + 0.3 * along)).max() > 1.0
    end = walk(curved, START, direction, 0.3, 0.1, margin=0.01, enough=1e-3)
    assert np.abs(curved(end.point)).max() <= 1e-3
    np.testing.assert_allclose(end.residuals, curved(end.point))
    assert 0.2 < np.linalg.norm(end.point - MIDDLE) < 0.4


def test_a_walk_goes_on_along_a_wall():
    direction = np.array([1.0, 0.3, 0.0, -0.2, 0.1, 0.4])
    end = walk(curved, START, direction, 0.7, 0.1, margin=0.1, enough=1e-3)
    assert np.all((end.point > 0.05) & (end.point < 0.95)) and np.abs(curved(end.point)).max() <= 1e-3
    held = flat_part(direction, START.jacobian, np.where(np.arange(6) == 0, 0.9, 0.5), 0.1)
    assert abs(held[0]) < 1e-12 and np.abs(START.jacobian @ held).max() < 1e-11
    assert room(MIDDLE, np.array([1.0, 0, 0, 0, 0, -0.1]), 0.1) == pytest.approx(0.4)


def test_a_jacobian_is_learnt_along_the_steps():
    place = Place(np.zeros(6), np.zeros(3), np.zeros((3, 6)))
    for point in np.cumsum(np.eye(6), axis=0):
        place = with_learnt_slopes(place, point, MATRIX @ point)
    np.testing.assert_allclose(place.jacobian, MATRIX, atol=1e-12)
    # With it a linear problem is solved by one step, up to the damping.
    there = corrected(lambda p: 1e3 * MATRIX @ (p - MIDDLE), Place(MIDDLE + 0.01, 1e3 * MATRIX @ np.full(6, 0.01),
                      1e3 * MATRIX), 1e-2, corrections=2)  # fmt: skip
    assert there.misfit <= 1e-2


def test_stored_cycles_have_the_works_and_differ():
    assert len(CYCLES) >= 2 and CYCLES[0]["parameters"] == list(data.INFERRED)
    every = np.array([each["parameters"] for each in CYCLES])
    assert np.all((every >= ensemble.LOW) & (every <= ensemble.HIGH))
    shares = (every - ensemble.LOW) / (ensemble.HIGH - ensemble.LOW)
    apart = [np.linalg.norm(a - b) for i, a in enumerate(shares) for b in shares[:i]]
    assert min(apart) > 0.1
    for each in CYCLES:
        check_cycle(cycle_inference.cycle_from(jnp.asarray(each["parameters"])))
        assert np.abs(cycle_facts.residuals(each)).max() <= 1.0
        # Every cycle produces entropy, and none is better than Carnot's.
        assert min(each["entropy_produced"]) > 0.0
        assert ensemble_report.efficiencies(each).max() < ensemble_report.carnots(each)


def test_a_stored_cycle_does_the_work_that_is_stored():
    """The classical one whose work is printed most sharply; all six are made by `infer-protocol --others`."""
    each = CYCLES[-1]
    cycle = cycle_inference.cycle_from(jnp.asarray(each["parameters"]))
    model = data.oscillator("classical", 1.0, full=True)
    run = jt.run_cycle(model, cycle, data.FINE_TOLERANCE, points=4, keep_states=True)
    assert run.ok and float(run.work) == pytest.approx(each["work"][1], abs=1e-8)
    assert float(run.cumulative_work_int[-1]) == pytest.approx(each["entropy_produced"][1], rel=1e-6)
    # Entropy of the states less heat over temperature is what is produced: never less than before, and in all as above.
    course = cycle_entropy._course_of(run)
    produced = course.entropy - course.entropy[0] - np.asarray(run.cumulative_heat_ext)
    assert np.diff(produced).min() > -1e-6
    assert produced[-1] == pytest.approx(each["entropy_produced"][1], rel=1e-4)
    # Its exact rate is the slope of that, here to the error of the trapezoidal rule over few times.
    assert np.trapezoid(course.rate, run.time) == pytest.approx(produced[-1], rel=0.1)
    moving, still = (each["rates"][name][1] for name in ("thermostatic", "isothermal"))
    shares = np.asarray(cycle.strokes * cycle.period).reshape(2, 2).sum(0)
    assert moving * shares[1] + still * shares[0] == pytest.approx(produced[-1], rel=0.03)


def test_a_slower_cycle_has_its_ramps_where_they_were_in_their_strokes():
    own = slower(data.our_cycle())
    np.testing.assert_allclose(own.corners(), [0.0, 10.0, 15.0, 25.0, 30.0])
    assert float(own.x(2.5)) == float(data.our_cycle().x(1.25)) and float(own.beta(12.5)) == 0.75
    for each in CYCLES:
        cycle = cycle_inference.cycle_from(jnp.asarray(each["parameters"]))
        check_cycle(slower(cycle))
        before, after = (np.asarray(one.corners()) for one in (cycle, slower(cycle)))
        # Time passes half as fast in isothermal strokes, on either side of the period too.
        wide = [np.concatenate([one[:-1] - one[-1], one, one[1:] + one[-1]]) for one in (before, after)]
        for old, new in zip(cycle.spans(), slower(cycle).spans(), strict=True):
            np.testing.assert_allclose(new, np.interp(old, *wide), rtol=1e-12)

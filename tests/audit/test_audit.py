"""A short audit: every draw is right, or its status says that it may not be; and the references agree."""

import numpy as np
import oscillator_exact as exact
import pytest

from . import courses, draws, engines, hierarchy, judge, kramers, paths, periods, resonances

# Of the draws of a kind, so many may fail honestly: their meshes are drawn too small on purpose.
HONEST = 0.7


@pytest.mark.parametrize("kind", draws.SHORT)
def test_no_answer_is_wrong_and_ok(kind):
    asked = [draws.question(seed, narrow=True, kind=kind)[1] for seed in range(draws.SHORT[kind])]
    verdicts = [judge.judge(kind, p) for p in asked]
    wrong = [(p, v) for p, v in zip(asked, verdicts, strict=True) if v.outcome == judge.WRONG]
    assert not wrong, wrong
    known = [v for v in verdicts if v.outcome == judge.RIGHT]
    assert len(known) >= (1.0 - HONEST) * len(verdicts), verdicts


QUARTIC = (0.0, 0.0, 0.1, 0.02, 0.05)


def test_frames_of_the_hierarchy_agree():
    well = hierarchy.Well(QUARTIC, 1.0, tuple(map(tuple, exact.pade(1))))
    best = hierarchy.best_frame(well, 2.0, 0.5)
    one, residual = hierarchy.equilibrium(well, 2.0, 0.5, 16, 6, best)
    assert residual < 1e-11
    for shares, depth in ((1.0, 6), (0.0, 12)):
        other, _ = hierarchy.equilibrium(well, 2.0, 0.5, 16, depth, hierarchy.Frame(np.full(1, shares), 1.0))
        assert hierarchy.furthest(other, one) < 2e-7, shares


@pytest.mark.parametrize(("strength", "beta"), [(0.7, 3.0), (2.0, 10.0)])
def test_the_hierarchy_of_a_parabola_has_the_closed_moments(strength, beta):
    xi, eta = exact.pade(2)
    well = hierarchy.Well((0.0, 0.0, 0.5), strength, (tuple(xi), tuple(eta)))
    found, _ = hierarchy.equilibrium(well, beta, 0.4, 20, 2, hierarchy.best_frame(well, beta, 0.4))
    at = exact.harmonic_stationary(beta, 0.4, w0=1.0, gamma=strength**2, xi=xi, eta=eta)
    assert hierarchy.furthest(found, at | {"X": at["q"]}) < 1e-7


def test_the_kramers_equation_of_a_parabola_has_the_closed_moments():
    def beta(t):
        return 1.0 + 0.25 * min(t, 2.0)

    def x(t):
        return min(t, 1.5) / 3.0

    def dx(t):
        return 1.0 / 3.0 if t <= 1.5 else 0.0

    kinks, ts = np.array([1.5, 2.0]), np.array([0.0, 1.0, 1.5, 2.0, 3.0])
    model = kramers.Kramers((0.0, 0.0, 0.5), 1.0, 0.0, theta=1.0, reach=8.0, momenta=24, points=60)
    _, found = model.follow(model.start(1.0), paths.Path(beta, x, dx, ts), ts)
    none = np.zeros(0)
    at = exact.harmonic_trajectory(beta, x, dx, ts, w0=1.0, gamma=1.0, xi=none, eta=none, kinks=kinks)
    for name, value in (at | {"X": at["q"]}).items():
        if name in found:
            np.testing.assert_allclose(found[name], value, atol=1e-8)


@pytest.mark.parametrize("poles", [0, 1])
def test_the_generator_of_a_parabola_has_the_closed_response_and_rates(poles):
    p = {"coefficients": (0.0, 0.0, 0.5), "strength": 0.7, "poles": poles, "beta": 2.0, "x": 0.2}
    w = np.array([0.3, 1.1])
    _, chi = resonances._spectra(p | {"frequencies": w}, 16, 3)
    np.testing.assert_allclose(chi, 1.0 / (1.0 - w**2 - 0.49j * w), rtol=1e-5)
    # Of the slowest, the motion's own pair.
    at = resonances._eigenvalues(p, 12, 2 * poles)[:2]
    np.testing.assert_allclose(np.sort_complex(at), np.sort_complex(np.roots([1.0, 0.49, 1.0])), atol=1e-5)


def test_the_generator_of_a_quartic_well_leaves_its_stationary_state_alone():
    """A parabola does not feel it where what goes up the hierarchy and what comes down are confused."""
    well = {"coefficients": (0.0, 0.0, 0.1, 0.02, 0.05), "strength": 0.7, "poles": 1, "beta": 1.5, "x": 0.2}
    chain = resonances.Chain(well, 10, 2)
    state, _ = chain.ladder.stationary(well["beta"])
    assert np.abs(chain.matrix() @ state.ravel()).max() < 1e-12 * np.abs(chain.matrix()).max()


def test_a_course_is_stepped_as_its_hierarchy_says():
    well = hierarchy.Well(QUARTIC, 1.3, tuple(map(tuple, exact.pade(2))))
    ladder = hierarchy.Hierarchy(well, hierarchy.basis(well, 0.2, 12), (3, 2), np.array([0.7, 0.9]))
    course = courses.Course(ladder, 0.2)
    M = np.random.default_rng(0).normal(size=(len(ladder.indices), 12, 12))
    turned = course.states.T @ M @ course.states
    expected = course.states.T @ ladder.rates(M, 0.8, 0.3) @ course.states
    np.testing.assert_allclose(course.rates(turned, 0.8, 0.3), expected, atol=1e-10)


@pytest.mark.parametrize("coefficients", [(0.0, 0.0, 0.5), (0.0, 0.1, -1.2, 0.0, 0.2)])
def test_modes_have_depths_of_their_own(coefficients):
    well = hierarchy.Well(coefficients, 0.8, tuple(map(tuple, exact.pade(2))))
    frame = hierarchy.best_frame(well, 2.0, 0.1)
    apart, alike = (hierarchy.equilibrium(well, 2.0, 0.1, 14, depth, frame)[0] for depth in ((8, 6), 8))
    assert len(hierarchy.members(2, (8, 6))[0]) < len(hierarchy.members(2, 8)[0])
    assert hierarchy.furthest(apart, alike) < 1e-6


def test_the_course_of_a_parabola_has_the_closed_moments():
    ts = [0.0, 0.5, 0.6, 1.4, 3.0]
    p = {"coefficients": (0.0, 0.0, 0.5), "strength": 1.5, "poles": 2}
    p |= {"beta": (1.0, 3.0, 0.5, 0.6), "x": (-0.3, 0.5, 0.5, 1.4), "ts": ts}
    found = courses.course(p, 26, (2, 2), np.inf)
    (beta, _), (x, dx) = courses.ramp(*p["beta"]), courses.ramp(*p["x"])
    xi, eta = exact.pade(2)
    at = exact.harmonic_trajectory(beta, x, dx, ts, w0=1.0, gamma=2.25, xi=xi, eta=eta, kinks=ts)
    for name, value in (at | {"X": at["q"]}).items():
        if name in found:
            np.testing.assert_allclose(found[name], value, atol=2e-6)


@pytest.mark.parametrize("poles", [None, 1])
def test_the_cycle_of_a_parabola_with_jumps_has_the_closed_moments(poles):
    p = {"coefficients": (0.0, 0.0, 0.5), "strength": 1.2, "poles": poles, "period": 4.0, "strokes": [0.3, 0.3, 0.4]}
    p |= {"beta": [[1.0, 1.2], [1.5, 1.5], [1.4, 1.0]], "x": [[0.5, -0.2], [-0.2, 0.1], [0.3, 0.4]]}
    path = paths.pieces_of(p)
    work, swing = periods.closed(p, path)
    ts = np.unique([*path.knots, *np.linspace(0.0, 4.0, 41)])
    if poles is None:
        model = kramers.Kramers(p["coefficients"], 1.2, 0.1, theta=0.85, reach=8.0, momenta=20, points=54)
        found = engines.stationary_cycle(model.start(1.5), lambda c: model.follow(c, path, ts), path, ts)
    else:
        found = engines.converged(engines.quantum_rungs(p, path, ts, np.inf))
    assert abs(found.work - work) < 2e-6 * swing
    assert abs(np.ptp(found.U) - swing) < 1e-5


def test_kinds_that_came_later_leave_older_draws_as_they_were():
    # Of an audit before them.
    assert draws.question(515) == ("ring, limit cycle", draws.question(515, kind="ring, limit cycle")[1])
    assert draws.question(515)[1]["beta"] == pytest.approx(6.419989881780216, abs=1e-15)
    assert {draws.question(seed)[0] for seed in range(1000, 1004)} == set(draws.LATER[1000])
    assert [draws.question(seed)[0] for seed in (1569, 1570)] == ["spectrum, transformed", "drive, quantum, wide"]
    assert [draws.question(seed)[0] for seed in (1000, 1040, 1056)] == [
        "spectrum, anharmonic",
        "noise, limit cycle",
        "noise, fixed point",
    ]

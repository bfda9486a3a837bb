"""Folds of the localised states and branches of fixed points, against a second method and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt

FORCES = np.array([0.05, 0.1, 0.2102, 0.5, 1.0, 2.5])


@pytest.fixture(scope="module")
def fold_of():
    """One compilation for each q and each kind of rates; coupling, force and prefactor are arguments."""
    return jax.jit(jax.vmap(jt.potts.fold))


def rings(q, forces, coupling=-1.0, prefactor=1.0, rates=None):
    return jax.vmap(lambda f: jt.PottsRing(q, coupling, f, prefactor, rates=rates))(jnp.asarray(forces))


def newton(x, beta, force):
    """Fixed point, and determinant of the Jacobian there, in NumPy with complex-step derivatives."""

    def field(x):
        P = np.append(x, 1.0 - x.sum())
        half = 0.5 * beta * (P - np.roll(P, -1))
        current = np.exp(-half) * P - np.exp(half - beta * force) * np.roll(P, -1)
        return (np.roll(current, 1) - current)[:-1]

    for _ in range(50):
        jacobian = np.stack([field(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(x))], axis=1)
        step = np.linalg.solve(jacobian, field(x))
        x = x - step
        if np.abs(step).max() < 1e-14:
            break
    return x, np.linalg.det(jacobian)


@pytest.mark.parametrize("q", [3, 5])
def test_fold_is_where_the_jacobian_of_newtons_branch_is_singular(q, fold_of):
    """Newton's branch from the cold side ends at the fold like a square root; its end is extrapolated."""
    found = fold_of(rings(q, FORCES))
    assert set(found.kind) == {"fold"} and np.all(found.residual < 1e-12)
    for force, fold, state, null in zip(FORCES, found.beta, found.occupation, found.null_vector, strict=True):
        x = np.asarray(state + 0.02 * np.sign(null[0]) * null)[:-1]
        squares = []
        gaps = np.append(np.geomspace(1e-3, 1e-7, 9), [4e-8, 1e-8])
        for gap in gaps:
            x, determinant = newton(x, float(fold) + gap, force)
            squares.append(determinant**2)
        # det J^2 falls linearly in beta but for a correction of relative order sqrt(gap); where it reaches zero:
        root = gaps[-1] - squares[-1] * (gaps[-2] - gaps[-1]) / (squares[-2] - squares[-1])
        assert abs(root) < 1e-9


def test_fold_crosses_the_critical_temperature_where_it_is_known_to(fold_of):
    beta = fold_of(rings(3, [0.2101, 0.2103, 0.05, 0.5, 1.0, 2.5])).beta
    assert beta[0] < 3.0 < beta[1]


def test_units_of_energy_and_time(fold_of):
    """beta |u| depends on f/|u| alone, and not at all on the prefactor."""
    plain = fold_of(rings(3, FORCES)).beta
    scaled = fold_of(rings(3, 2.5 * FORCES, coupling=-2.5, prefactor=0.1)).beta
    np.testing.assert_allclose(2.5 * scaled, plain, rtol=1e-12)


def test_the_fold_joins_a_stable_and_an_unstable_state(fold_of):
    found = fold_of(rings(3, FORCES))
    for force, beta, state, null in zip(FORCES, found.beta, found.occupation, found.null_vector, strict=True):
        ring, at = jt.PottsRing(3, -1.0, force), float(beta) + 1e-4
        growth = []
        for side in (1.0, -1.0):
            x, _ = newton(np.asarray(state + side * 0.01 * null)[:-1], at, force)
            P = jnp.append(jnp.asarray(x), 1.0 - x.sum())
            rates = np.linalg.eigvals(jax.jacfwd(jt.potts.vector_field, argnums=1)(0.0, P, ring, at)).real
            growth.append(np.sort(rates)[np.abs(np.sort(rates)) > 1e-10].max())
        assert min(growth) < 0 < max(growth)


def test_four_states_leave_the_alternating_one_in_a_pitchfork(fold_of):
    found = fold_of(rings(4, [0.3, 0.43, 0.5, 1.0]))
    assert list(found.kind) == ["fold", "fold", "pitchfork", "pitchfork"]
    assert np.all(found.residual < 1e-12)
    np.testing.assert_allclose(found.occupation[2:, :2], found.occupation[2:, 2:], atol=1e-14)
    np.testing.assert_allclose(found.null_vector[2:, :2], -found.null_vector[2:, 2:], atol=1e-14)


def test_bounded_rates_have_a_fold_only_while_the_barrier_holds():
    found = jax.jit(jax.vmap(jt.potts.fold))(rings(3, [0.1, 0.3, 1.5], rates=jt.potts.Glauber()))
    assert list(found.kind) == ["fold", "fold", "none"]
    assert np.isnan(found.beta[2]) and np.all(found.residual[:2] < 1e-12)


def test_gradient_is_central_difference_in_both_modes():
    def beta(p):
        return jt.potts.fold_beta(jt.PottsRing(3, p[0], p[1], p[2]))

    points = jnp.array([[-1.0, 0.15, 1.0], [-1.3, 1.0, 0.1]])
    forward, reverse = jax.jit(jax.vmap(lambda p: (jax.jacfwd(beta)(p), jax.grad(beta)(p))))(points)
    values = jax.jit(jax.vmap(beta))
    shifts = 1e-5 * jnp.eye(3)
    central = jnp.stack([values(points + shift) - values(points - shift) for shift in shifts[:, None]], axis=1) / 2e-5
    np.testing.assert_allclose(forward, central, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(reverse, central, rtol=1e-7, atol=1e-9)


@pytest.fixture(scope="module")
def cold_branch():
    return jt.potts.branch(jt.PottsRing(3, -1.0, 1.0, 0.1), 12.0, low=3.0, high=12.5)


def test_branch_turns_at_the_fold_and_changes_stability_there(cold_branch, fold_of):
    fold = float(fold_of(rings(3, FORCES)).beta[4])
    turn = int(np.flatnonzero(cold_branch.fold)[0])
    assert cold_branch.fold.sum() == 1
    assert float(cold_branch.beta.min()) == pytest.approx(fold, abs=2e-3)
    assert bool(cold_branch.stable[: turn - 1].all()) and not bool(cold_branch.stable[turn + 1 :].any())
    np.testing.assert_allclose(cold_branch.occupation.sum(axis=-1), 1.0, atol=1e-14)


def test_branch_points_are_fixed_points(cold_branch):
    ring = jt.PottsRing(3, -1.0, 1.0, 0.1)
    rates = jax.vmap(lambda P, beta: jt.potts.vector_field(0.0, P, ring, beta))(
        cold_branch.occupation, cold_branch.beta
    )
    assert np.abs(rates).max() < 1e-9
    flow = jt.potts.thermodynamics(0.0, cold_branch.occupation[5], ring, cold_branch.beta[5])
    np.testing.assert_allclose(cold_branch.work_current[5], flow.work_current, rtol=1e-12)
    np.testing.assert_allclose(flow.heat_current, -flow.work_current, rtol=1e-6)


def test_branch_in_force_turns_where_the_fold_has_its_beta(fold_of):
    """The fold as a function of f, inverted: at beta = fold(0.5) the branch in f turns at 0.5."""
    beta = float(fold_of(rings(3, FORCES)).beta[3])
    path = jt.potts.branch(jt.PottsRing(3, -1.0, 0.1), beta, along="force", low=0.0, high=1.0, upward=True)
    assert float(path.force.max()) == pytest.approx(0.5, abs=1e-3)
    assert int(path.fold.sum()) == 1


BAD = {
    "two states": (lambda: jt.potts.fold_beta(jt.PottsRing(2, -1.0, 1.0)), "`ring` must have q >= 3"),
    "repulsion": (lambda: jt.potts.fold_beta(jt.PottsRing(3, 0.5, 1.0)), "`coupling` must be < 0"),
    "moving force": (lambda: jt.potts.fold_beta(jt.PottsRing(3, -1.0, lambda t: t)), "`force` must be constant"),
    "parameter": (
        lambda: jt.potts.branch(jt.PottsRing(3, -1.0, 1.0), 8.0, along="f", low=1.0, high=9.0),
        "`along` must be one of beta, force, but is 'f'",
    ),
    "range": (
        lambda: jt.potts.branch(jt.PottsRing(3, -1.0, 1.0), 8.0, low=1.0, high=5.0),
        "`low` and `high` must hold",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()

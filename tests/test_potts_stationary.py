"""Attractors: their kinds, averages, derivatives, and what is said when none is found."""

import decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import RING_PREFACTOR as G, compilations, ring

import jaxthermo as jt


@pytest.fixture(scope="module")
def scan():
    """Three states: uniform, synchronised and localised phases of one ring, in vmapped chunks."""
    betas = jnp.array([0.0, 1.0, 2.99, 3.001, 3.3, 4.0, 6.0, 7.0, 10.0, 30.0])
    return betas, jt.potts.stationary_lanes(ring(), betas)


def test_the_three_phases_of_three_states(scan):
    _, found = scan
    assert list(found.kind) == ["fixed point"] * 3 + ["limit cycle"] * 4 + ["fixed point"] * 3
    assert np.all(found.residual < 1e-9)
    assert np.all(found.ok)
    np.testing.assert_array_equal(np.isfinite(found.period), found.attractor == 2)


def test_uniform_phase_does_the_uniform_work(scan):
    betas, found = scan
    np.testing.assert_allclose(found.work_current[:3], 2 * G * np.sinh(0.5 * np.asarray(betas[:3])), atol=1e-14)
    np.testing.assert_allclose(found.occupation[:3], 1 / 3, atol=1e-13)


def test_averages_obey_both_laws(scan):
    betas, found = scan
    assert np.all(np.abs(found.work_current + found.heat_current) < 1e-9)
    assert np.all(np.abs(found.entropy_production_rate - betas * found.work_current) < 3e-8)
    np.testing.assert_allclose(found.occupation.sum(axis=1), 1.0, atol=1e-12)


def test_occupations_of_a_cold_ring_are_stationary_digit_by_digit(scan):
    """At beta = 30 the rates span 13 decades; a ring's trees, with 50 digits, have no differences to lose digits in."""
    betas, found = scan
    P = [decimal.Decimal(float(one)) for one in found.occupation[-1]]
    with decimal.localcontext(prec=50):
        half = decimal.Decimal(float(betas[-1])) / 2
        rises = [half * (-(P[(i + 1) % 3] - P[i]) - 1) for i in range(3)]
        up, down = [(-rise).exp() for rise in rises], [rise.exp() for rise in rises]
        # State i is reached from both others: both by i - 1, both by i + 1, or one from either side.
        trees = [up[i - 2] * up[i - 1] + down[i] * down[i - 2] + up[i - 1] * down[i] for i in range(3)]
        work = float(decimal.Decimal(G) * sum(up[i] * trees[i] - down[i] * trees[i - 2] for i in range(3)) / sum(trees))
        exact = [float(tree / sum(trees)) for tree in trees]
    np.testing.assert_allclose(found.occupation[-1], exact, rtol=1e-12)
    np.testing.assert_allclose(found.work_current[-1], work, rtol=1e-11)


def test_birth_period_is_that_of_the_unstable_mode(scan):
    """Just above beta_c1 the cycle turns with the imaginary part of the critical eigenvalue."""
    _, found = scan
    frequency = abs(jt.potts.spectrum(ring(), 3.0)[1].imag)
    np.testing.assert_allclose(found.period[3], 2 * np.pi / frequency, rtol=1e-3)


def test_cycle_closes_under_an_independent_solve(scan):
    betas, found = scan
    lane = 4
    run = jt.potts.evolve(
        ring(), float(betas[lane]), found.point[lane], [0.0, found.period[lane] / 2, found.period[lane]]
    )
    np.testing.assert_allclose(run.occupation[-1], found.point[lane], atol=1e-9)
    np.testing.assert_allclose(run.work[-1] / found.period[lane], found.work_current[lane], rtol=1e-9)
    assert np.max(np.abs(run.occupation[1] - found.point[lane])) > 0.05


def test_scan_is_one_lane_at_a_time(scan):
    betas, found = scan
    for lane in (1, 4, 7):
        alone = jt.potts.stationary(ring(), betas[lane])
        assert alone.kind == found.kind[lane]
        np.testing.assert_allclose(alone.work_current, found.work_current[lane], rtol=1e-10)
        np.testing.assert_allclose(alone.period, found.period[lane], rtol=1e-9)


def test_one_ring_with_many_betas_is_as_many_rings(scan):
    betas, found = scan
    rings = jax.vmap(lambda _: ring())(betas)
    again = jt.potts.stationary_lanes(rings, betas)
    jax.tree.map(np.testing.assert_array_equal, again, found)


def test_other_values_compile_nothing_anew(scan):
    def all_of(force, beta, rounds):
        one = ring(force)
        jt.potts.stationary(one, beta, max_rounds=rounds)
        jax.grad(lambda beta: jt.potts.stationary(one, beta, max_rounds=rounds).energy)(beta)
        jt.potts.stationary_lanes(one, beta + np.linspace(0.0, 1.0, 10), max_rounds=rounds)

    all_of(1.0, 3.5, 20)
    with compilations() as compiled:
        all_of(0.7, 2.5, 21)
    assert compiled == []


@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_at_the_transition_the_answer_is_undecided_and_has_no_derivative():
    found = jt.potts.stationary(ring(), 3.0)
    assert found.kind == "undecided"
    # The trajectory creeps towards the uniform state, whose averages it has; no number of rounds would decide.
    assert found.stats["rounds"] < 8
    np.testing.assert_allclose(found.work_current, jt.potts.uniform_work_current(ring(), 3.0), rtol=1e-12)
    slope = jax.grad(lambda beta: jt.potts.stationary(ring(), beta).work_current)(3.0)
    assert np.isnan(slope)


@pytest.mark.parametrize("beta", [2.0, 3.5, 8.0], ids=["uniform", "cycle", "localised"])
def test_gradient_is_central_difference_in_both_modes(beta):
    def results(p):
        found = jt.potts.stationary(jt.PottsRing(3, p[1], p[2], p[3]), p[0])
        return jnp.stack([found.work_current, found.entropy, found.occupation[0]])

    at = jnp.array([beta, -1.0, 1.0, G])
    shifts = 1e-5 * jnp.eye(4)
    central = jnp.stack([results(at + shift) - results(at - shift) for shift in shifts], axis=1) / 2e-5
    np.testing.assert_allclose(jax.jacfwd(results)(at), central, rtol=2e-6, atol=1e-8)
    np.testing.assert_allclose(jax.jacrev(results)(at), central, rtol=2e-6, atol=1e-8)


def test_period_gradient_compiled_and_vmapped():
    def period(beta):
        return jt.potts.stationary(ring(), beta).period

    betas = jnp.array([3.3, 5.0])
    central = [float(period(beta + 1e-5) - period(beta - 1e-5)) / 2e-5 for beta in betas]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(period)))(betas), central, rtol=1e-6)


def test_even_rings_alternate_above_the_critical_temperature():
    """Between beta_c1 and the fold of the localised states an even ring puts its units on every second state."""
    found = jt.potts.stationary(ring(0.64, 4), 4.5)
    assert found.kind == "fixed point"
    np.testing.assert_allclose(found.occupation[0::2], found.occupation[0], atol=1e-10)
    np.testing.assert_allclose(found.occupation[1::2], found.occupation[1], atol=1e-10)
    assert found.occupation[0] - found.occupation[1] > 0.2


def test_uneven_energies_and_other_rates_have_attractors():
    """Equilibrium at f = 0 depends on the energies alone, whatever the rates."""
    energies, beta = [0.0, 0.4, -0.3], 1.2
    states = [
        jt.potts.stationary(jt.PottsRing(3, 0.5, 0.0, 1.0, energies, rates), beta).occupation
        for rates in (jt.potts.Arrhenius(), jt.potts.Glauber(), jt.potts.Metropolis())
    ]
    np.testing.assert_allclose(states[1], states[0], atol=1e-12)
    np.testing.assert_allclose(states[2], states[0], atol=1e-12)


def test_the_attractor_depends_on_the_start():
    """Bistability at small force: the fold of the localised states lies below beta_c1 for q = 3, f < 0.21."""
    weak = ring(0.05)
    localised = jt.potts.stationary(weak, 2.95)
    uniform = jt.potts.stationary(weak, 2.95, [0.34, 0.33, 0.33])
    assert localised.kind == uniform.kind == "fixed point"
    np.testing.assert_allclose(uniform.occupation, 1 / 3, atol=1e-10)
    assert localised.occupation[0] > 0.5


BAD = {
    "force(t)": ((jt.PottsRing(3, -1.0, lambda t: 1.0), 1.0), "`force` must be constant"),
    "NaN beta": ((jt.PottsRing(3, -1.0, 1.0), np.nan), "`beta` must be finite"),
    "NaN force": ((jt.PottsRing(3, -1.0, np.nan), 1.0), "`force` must be finite"),
    "start": ((jt.PottsRing(3, -1.0, 1.0), 1.0, [0.5, 0.6, 0.2]), "`p0` must sum to 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_stationary_names_the_bad_argument(case):
    arguments, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        jt.potts.stationary(*arguments)


def test_lanes_must_match():
    rings = jax.vmap(lambda f: jt.PottsRing(3, -1.0, f))(jnp.ones(4))
    with pytest.raises(ValueError, match="leading axis"):
        jt.potts.stationary_lanes(rings, jnp.ones(3))


def test_single_precision_is_refused():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        jt.potts.stationary(jt.PottsRing(3, -1.0, 1.0), 1.0)

"""Linear noise about attractors, bounds on fluctuations and clocks, information between units, dissipation at onset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import jaxthermo as jt
from tests.systems import ring
from tests.test_jumps_finite import BETAS, NETWORK, UNITS


def clock(beta=3.5):
    """A ring on its limit cycle, with its linear noise."""
    return jt.jumps.linear_noise(ring(), beta)


@pytest.fixture(scope="module")
def cycling():
    return clock()


def test_units_on_their_own_fluctuate_like_coins():
    """Without interaction N_i is multinomial, also out of equilibrium: N cov = diag(P) - P P^T."""
    free = jt.JumpNetwork([(0, 1), (1, 2), (2, 0), (0, 1)], [0.0, 0.3, 0.5], None, 0.7, [0, 0, 0, 1])
    found = jt.jumps.linear_noise(free, np.array([1.0, 2.5]))
    P = np.asarray(jt.jumps.stationary(free, np.array([1.0, 2.5])).occupation)
    np.testing.assert_allclose(found.covariance, np.diag(P) - np.outer(P, P), rtol=0, atol=1e-12)
    assert found.kind == "fixed point" and np.isnan(found.phase_diffusion)


def test_many_units_have_the_covariance_of_linear_noise():
    """Corrections are of order 1/N: what is left of two numbers of units extrapolated is of order 1/N^2."""
    pair = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 0.4], -0.3, [0.0, 0.5], [0, 1])
    found = jt.jumps.linear_noise(pair, BETAS)
    few, many = (n * float(jt.jumps.mesoscopic_stationary(pair, BETAS, n).covariance[0, 0]) for n in (150, 300))
    assert abs(many / float(found.covariance[0, 0]) - 1.0) < 0.01
    assert 2.0 * many - few == pytest.approx(float(found.covariance[0, 0]), rel=2e-4)


def test_phase_diffusion_by_the_adjoint_equation(cycling):
    """D = (1/2)(2 pi/T)^2 int z.B z dt/T with dz/dt = -J^T z followed backwards, in all three occupations, by SciPy."""
    u, f, G, beta = -1.0, 1.0, 0.1, 3.5

    def one_way(P):
        half = 0.5 * beta * (u * (np.roll(P, -1) - P) - f)
        return G * np.exp(-half) * P, G * np.exp(half) * np.roll(P, -1)

    def rate(P):
        current = np.subtract(*one_way(P))
        return np.roll(current, 1) - current

    def slope(P):
        return np.stack([(rate(P + 1e-6 * e) - rate(P - 1e-6 * e)) / 2e-6 for e in np.eye(3)], axis=1)

    found = jt.jumps.stationary(ring(), beta)
    T, start = float(found.period), np.asarray(found.point)
    path = solve_ivp(lambda t, P: rate(P), (0.0, T), start, "DOP853", rtol=1e-11, atol=1e-13, dense_output=True).sol
    # Backwards in time the phase is what is left after a few turns.
    z = np.array([1.0, -0.3, 0.2])
    times = np.linspace(0.0, T, 2001)
    for _ in range(4):
        kept = solve_ivp(lambda s, z: slope(path(T - s)).T @ z, (0.0, T), z, "DOP853", times, rtol=1e-9, atol=1e-11).y
        z = kept[:, -1]
    scale = kept[:, 0] @ rate(start)
    spread = []
    for s, column in zip(times, kept.T, strict=True):
        forward, backward = one_way(path(T - s))
        along = np.roll(column, -1) - column
        spread.append(along**2 @ (forward + backward) / scale**2)
    exact = 0.5 * (2.0 * np.pi / T) ** 2 * np.trapezoid(spread, times) / T
    assert float(cycling.phase_diffusion) == pytest.approx(exact, rel=1e-5)
    assert float(cycling.period) == pytest.approx(T, rel=1e-12)


def test_contraction_is_that_of_the_multipliers(cycling):
    cycle = jt.potts.limit_cycle(ring(), 3.5)
    exact = float(jnp.sum(jnp.log(jnp.abs(cycle.multipliers))) / cycle.period)
    assert float(cycling.contraction) == pytest.approx(exact, rel=1e-6)
    P = cycle.point
    reduced = jax.jacfwd(lambda x: jt.jumps.vector_field(0.0, jnp.append(x, 1.0 - jnp.sum(x)), ring(), 3.5)[:-1])(
        P[:-1]
    )
    assert float(jt.jumps.contraction(0.0, P, ring(), 3.5)) == pytest.approx(float(jnp.trace(reduced)), rel=1e-12)


def test_lanes_are_what_single_calls_give(cycling):
    batch = jax.vmap(clock)(jnp.array([3.5, 2.0]))
    np.testing.assert_allclose(batch.phase_diffusion[0], cycling.phase_diffusion, rtol=1e-6)
    np.testing.assert_allclose(batch.covariance[1], clock(2.0).covariance, rtol=1e-8)
    assert list(batch.kind) == ["limit cycle", "fixed point"]
    with pytest.raises(NotImplementedError, match="`linear_noise` has no derivatives"):
        jax.grad(lambda beta: clock(beta).contraction)(3.5)


def test_one_unit_on_a_flat_ring_attains_the_bound_on_its_coherence():
    found = jt.bounds(jt.jumps.coherence(jt.PottsRing(4, -1.0, 0.8, 1.0), 1.5, 1))
    assert list(found.names) == ["coherence", "entropy of an oscillation"] and bool(found.hold.all())
    exact = np.tanh(0.5 * 1.5 * 0.8) / np.tan(np.pi / 4)
    np.testing.assert_allclose([found.value[0], found.bound[0]], exact, rtol=1e-10)
    # Entropy 2 G f sinh(beta f/2) beta in a period 2 pi/(2 G sinh(beta f/2)).
    np.testing.assert_allclose(found.value[1], 2.0 * np.pi * 1.5 * 0.8, rtol=1e-10)
    np.testing.assert_allclose(found.bound[1], 2.0 * np.pi * exact, rtol=1e-10)


def test_uncertainty_is_that_of_the_cumulants_for_every_current():
    for of in ("work", "entropy", 0, 1):
        counted = jt.jumps.cumulants(NETWORK, BETAS, UNITS, 2, of=of)
        found = jt.bounds(counted)
        assert bool(found.hold[0]) and bool(found.ok)
        ratio = float(found.value[0] / found.bound[0])
        assert ratio == pytest.approx(float(counted.uncertainty_ratio), rel=1e-12)
        assert float(found.slack[0]) == pytest.approx(float(found.value[0] - found.bound[0]), rel=1e-12)


def test_one_unit_near_equilibrium_attains_the_uncertainty_bound():
    """The walk has the ratio (x/2)/tanh(x/2) with the affinity x of a step, which is 1 + x^2/12 for small x."""
    for force in (0.01, 1.0):
        found = jt.bounds(jt.jumps.cumulants(jt.PottsRing(4, -1.0, force, 1.0), 1.5, 1))
        exact = 0.75 * force / np.tanh(0.75 * force)
        assert float(found.value[0] / found.bound[0]) == pytest.approx(exact, rel=1e-10)


def test_a_clock_of_many_units_pays_for_its_oscillations(cycling):
    found = jt.bounds(cycling)
    assert float(found.value[0]) == pytest.approx(float(cycling.entropy_production_rate * cycling.period), rel=1e-12)
    assert float(found.bound[0]) == pytest.approx(2.0 * np.pi * float(cycling.quality_factor), rel=1e-12)
    assert bool(found.hold.all())
    assert np.isnan(jt.bounds(clock(2.0)).bound[0])
    assert jt.bounds(cycling).to_dataset()["slack"].dims == ("bound",)


def test_information_between_units_from_the_distribution_of_all():
    """Three units: sum p ln(p/prod P) over the 27 states, from a generator that is written unit by unit."""
    u, f, beta, q = -1.5, 0.7, 2.0, 3
    states = [(a, b, c) for a in range(q) for b in range(q) for c in range(q)]
    matrix = np.zeros((27, 27))
    for k, state in enumerate(states):
        for unit in range(3):
            for step in (1, -1):
                after = list(state)
                after[unit] = (state[unit] + step) % q
                alike = [sum(other == s[unit] for j, other in enumerate(s) if j != unit) for s in (state, after)]
                heat = u / 3.0 * (alike[1] - alike[0]) - step * f
                rate = np.exp(-0.5 * beta * heat)
                matrix[states.index(tuple(after)), k] += rate
                matrix[k, k] -= rate
    value, vectors = np.linalg.eig(matrix)
    p = np.real(vectors[:, np.argmax(value.real)])
    p = p / p.sum()
    single = np.array([sum(p[k] for k, s in enumerate(states) if s[0] == i) for i in range(q)])
    exact = sum(p[k] * np.log(p[k] / np.prod(single[list(s)])) for k, s in enumerate(states))
    model = jt.PottsRing(q, u, f, 1.0)
    found = jt.jumps.mesoscopic_stationary(model, beta, 3)
    assert float(jt.jumps.multipartite_information(found)) == pytest.approx(exact, rel=1e-9)
    alone = jt.jumps.mesoscopic_stationary(model, beta, 1)
    assert abs(float(jt.jumps.multipartite_information(alone))) < 1e-12


LAWS = {
    "Arrhenius": (jt.potts.Arrhenius(), 1.0),
    "Glauber": (jt.potts.Glauber(), 0.1),
    "load sharing": (jt.potts.LoadSharing(0.3), 0.5),
}


@pytest.mark.parametrize("law, force", LAWS.values(), ids=LAWS.keys())
def test_dissipation_and_contraction_change_together_for_any_small_pattern(law, force):
    model = jt.PottsRing(5, -1.0, force, 0.1, rates=law)
    beta = jt.potts.critical_beta(model)

    def pair(P):
        produced = beta * jt.potts.thermodynamics(0.0, P, model, beta).work_current
        return jnp.stack([produced, jt.jumps.contraction(0.0, P, model, beta)])

    pattern = jnp.array([0.4, -0.7, 0.1, 0.5, -0.3])
    first = jax.jacfwd(lambda x: pair(0.2 + x * pattern))
    second = jax.jacfwd(first)(0.0)
    np.testing.assert_allclose(first(0.0), 0.0, atol=1e-12)
    slope = float(jt.potts.stability_dissipation(model, beta))
    assert float(second[0] / second[1]) == pytest.approx(slope, rel=1e-9) and slope > 0.0
    if isinstance(law, jt.potts.Arrhenius):
        assert slope == pytest.approx(0.5 * np.tanh(2.5), rel=1e-12)


def test_dissipation_of_a_cycle_near_onset():
    """At a distance e above beta_c1 the ratio is the slope up to an error of order e, which two distances take away."""
    model = ring()
    slope, ratios = float(jt.potts.stability_dissipation(model, 3.0)), []
    for beta in (3.02, 3.04):
        found = jt.jumps.linear_noise(model, beta)
        assert found.kind == "limit cycle"
        uniform = jnp.full(3, 1.0 / 3.0)
        saved = found.entropy_production_rate - beta * jt.potts.uniform_work_current(model, beta)
        ratios.append(float(saved / (found.contraction - jt.jumps.contraction(0.0, uniform, model, beta))))
    assert abs(ratios[0] / slope - 1.0) < 0.05
    assert 2.0 * ratios[0] - ratios[1] == pytest.approx(slope, rel=2e-3)


BAD = {
    "a stationary state": (lambda: jt.bounds(jt.jumps.stationary(ring(), 2.0)), TypeError, "`result` must be one of"),
    "negative beta": (lambda: jt.jumps.linear_noise(ring(), -1.0), ValueError, "`beta` must be >= 0"),
    "changing force": (lambda: jt.jumps.linear_noise(ring(lambda t: t), 1.0), ValueError, "must be constant"),
    "uneven energies": (
        lambda: jt.potts.stability_dissipation(ring(energies=[0.0, 0.1, 0.2]), 3.0), ValueError, "`ring`.*flat|flat",
    ),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()

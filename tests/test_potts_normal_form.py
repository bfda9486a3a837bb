"""The normal form at beta_c1 against closed forms, against cycles and fixed points, and under transformations."""

from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxthermo as jt
from jaxthermo.jumps.occupation import field
from jaxthermo.potts.symmetry import cycle_orbit
from jaxthermo.solve.cycle import close_orbit
from jaxthermo.solve.fixed_point import newton

G, U = 0.1, -1.3


def closed_form(q, force):
    """c_kj of Arrhenius rates by hand, with s_k = sin(pi k/q) and phi = beta_c1 f/2.

    c_kj = q^2 G cosh(phi) [-4 s_j^2 + 2i coth(phi) sin(2 pi k/q)], times 1/2 for j = q/2 and for the imaginary part of
    c_kk; Re c_kk has -3 s_k^2, and -4/3 for k = q/2.
    """
    phi = -q * force / (2 * U)
    k = np.arange(1, q // 2 + 1)
    s2, turn = np.sin(np.pi * k / q) ** 2, np.sin(2 * np.pi * k / q)
    real, imaginary = np.tile(-4 * s2, (len(k), 1)), np.tile(2 / np.tanh(phi) * turn, (len(k), 1)).T
    np.fill_diagonal(real, -3 * s2)
    np.fill_diagonal(imaginary, np.diag(imaginary) / 2)
    if q % 2 == 0:
        real[:, -1], imaginary[:-1, -1], imaginary[-1] = -2, imaginary[:-1, -1] / 2, 0
        real[-1, -1] = -4 / 3
    return q**2 * G * np.cosh(phi) * (real + 1j * imaginary)


@pytest.mark.parametrize("q", [2, 3, 4, 5, 6, 9])
def test_coefficients_are_those_derived_by_hand(q):
    for force in (0.05, 1.0, -0.7):
        form = jt.potts.normal_form(jt.PottsRing(q, U, force, G))
        expected = closed_form(q, force)
        np.testing.assert_allclose(form.coefficients, expected, rtol=1e-12, atol=1e-13 * np.abs(expected).max())
        np.testing.assert_allclose(form.beta, -q / U, rtol=1e-14)
        assert list(form.kind) == ["supercritical"] * (q // 2)


@pytest.mark.parametrize("rates", [jt.potts.Arrhenius(), jt.potts.Glauber()], ids=["Arrhenius", "Glauber"])
def test_linear_part_is_the_spectrum(rates):
    ring = jt.PottsRing(6, -1.0, 0.1, G, rates=rates)
    form = jt.potts.normal_form(ring)
    critical = jt.potts.spectrum(ring, form.beta)[1:4]
    step = 1e-5
    growth = (jt.potts.spectrum(ring, form.beta + step) - jt.potts.spectrum(ring, form.beta - step))[1:4] / (2 * step)
    np.testing.assert_allclose(critical.real, 0.0, atol=1e-15)
    np.testing.assert_allclose(form.frequencies, critical.imag, atol=1e-15)
    np.testing.assert_allclose(form.growth, growth, rtol=1e-8, atol=1e-11)


def test_lyapunov_coefficient_by_kuznetsovs_formula():
    """Three states are an ordinary Hopf point: his Eq. (5.39), with a pseudo-inverse for the conserved direction."""
    ring = jt.PottsRing(3, U, 0.6, G)
    form = jt.potts.normal_form(ring)

    def field(P):
        return jt.potts.vector_field(0.0, P, ring, form.beta)

    flat = jnp.full(3, 1 / 3)
    first = jax.jacfwd(field)
    second = jax.jacfwd(first)
    third = jax.jacfwd(second)
    A, second, third = (np.asarray(d) for d in jax.jit(lambda P: (first(P), second(P), third(P)))(flat))
    values, vectors = np.linalg.eig(A)
    v = vectors[:, np.argmax(values.imag)]
    omega = values.imag.max()
    inner = np.linalg.inv(vectors)[np.argmax(values.imag)]

    def B(x, y):
        return np.einsum("ijk,j,k", second, x, y)

    cubic = np.einsum("ijkl,j,k,l", third, v, v, v.conj())
    slow = B(v, np.linalg.pinv(A, rcond=1e-12) @ B(v, v.conj()))
    fast = B(v.conj(), np.linalg.solve(2j * omega * np.eye(3) - A, B(v, v)))
    expected = (inner @ (cubic - 2 * slow + fast)).real / (2 * omega)
    np.testing.assert_allclose(form.lyapunov, expected, rtol=1e-12)
    np.testing.assert_allclose(expected, -9 * np.sqrt(3) / 4 / np.tanh(0.9 / -U), rtol=1e-12)


def test_no_other_terms_are_resonant():
    """The identities behind the form, by trying all products of two and three modes."""
    for q in range(3, 13):
        omega = -np.sin(2 * np.pi * np.arange(q) / q)  # in units of V+ - V-
        for a, b in combinations_with_replacement(range(1, q), 2):
            if (a + b) % q:
                assert abs(omega[a] + omega[b] - omega[(a + b) % q]) > 1e-3
        for modes in combinations_with_replacement(range(1, q), 3):
            target = sum(modes) % q
            resonant = abs(sum(omega[k] for k in modes) - omega[target]) < 1e-12
            opposite = any((a + b) % q == 0 for a, b in (modes[:2], modes[1:], modes[::2]))
            assert target == 0 or resonant == opposite


def test_predicted_cycle_of_three_states():
    """Amplitude and frequency are wrong by one order more than they are predicted to."""
    forces, distances = [0.5, 1.0, 2.0], np.array([0.02, 0.04])
    for force in forces:
        ring = jt.PottsRing(3, -1.0, force, G)
        form = jt.potts.normal_form(ring)
        pattern = form.pattern(1)
        betas = float(form.beta) + distances
        starts = jnp.stack([form.occupation(pattern, beta) for beta in betas])
        rings = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (2, *leaf.shape)), ring)
        found = jt.potts.stationary_lanes(rings, betas, starts)
        assert list(found.kind) == ["limit cycle"] * 2
        amplitude, frequency = [], []
        for lane, beta in enumerate(betas):
            cycle = cycle_orbit(ring, jnp.asarray(beta), found.point[lane], float(found.period[lane]), range(3))
            frequency.append(-2 * np.pi / found.period[lane])
            wave = np.fft.fft(cycle.states, axis=1)[:, 1] / 3
            amplitude.append(np.abs(np.fft.fft(wave)[-1]) / len(wave))
        off = np.array(amplitude) / (pattern.amplitudes[0] * np.sqrt(distances)) - 1
        np.testing.assert_allclose(off / distances, -0.33, atol=0.01)
        late = np.array(frequency) - (pattern.frequencies[0] + pattern.shifts[0] * distances)
        assert np.log2(late[1] / late[0]) == pytest.approx(2.0, abs=0.15)


def test_floquet_exponents_are_the_predicted_rates():
    """Both cycles of five states, the stable and the unstable one; a second mode enters as a pair of exponents."""
    ring = jt.PottsRing(5, -1.0, 1.0, G)
    form = jt.potts.normal_form(ring)
    distance = 0.01
    beta = form.beta + distance
    close = jax.jit(lambda guess, period: close_orbit(field, guess, period, (ring, beta)))
    for mode, stability in ((1, "unstable"), (2, "stable")):
        pattern = form.pattern(mode)
        assert (pattern.stability, pattern.attractor) == (stability, "limit cycle")
        frequency = pattern.frequencies[0] + pattern.shifts[0] * distance
        start = form.occupation(pattern, beta)
        orbit = close(start[:-1], 2 * jnp.pi / jnp.abs(frequency))
        assert orbit.closed
        np.testing.assert_allclose(orbit.period, 2 * np.pi / abs(frequency), rtol=1e-4)
        multipliers = np.linalg.eigvals(orbit.monodromy)
        exponents = np.log(np.abs(multipliers)) / (orbit.period * distance)
        exponents = np.delete(exponents, np.argmin(np.abs(multipliers - 1)))
        expected = np.append(pattern.rates, pattern.rates[2 - mode])
        np.testing.assert_allclose(np.sort(exponents), np.sort(expected), rtol=0.02)


def test_alternating_pattern_does_not_depend_on_the_force():
    """Its units sit on every second state, so that the force only turns them round: a fixed point for any force."""
    errors = []
    for force in (0.5, 2.0):
        ring = jt.PottsRing(6, -1.0, force, G)
        form = jt.potts.normal_form(ring)
        pattern = form.pattern(3)
        assert (pattern.attractor, pattern.stability, pattern.kind) == ("fixed point", "stable", "supercritical")
        np.testing.assert_allclose(pattern.amplitudes, np.sqrt(3 / 6**3), rtol=1e-12)
        for distance in (0.02, 0.04):
            beta = form.beta + distance
            root, _, converged, _ = newton(field, form.occupation(pattern, beta)[:-1], (ring, beta))
            assert converged
            errors.append(1 - (root[0] - root[1]) / (2 * pattern.amplitudes[0] * np.sqrt(distance)))
    np.testing.assert_allclose(errors[:2], errors[2:], rtol=1e-8)
    assert np.log2(errors[1] / errors[0]) == pytest.approx(1.0, abs=0.05)


STABLE = {3: [(1,)], 4: [(2,)], 5: [(2,)], 6: [(3,)], 7: [(3,)], 8: [(3,), (4,)], 9: [(3,), (4,)]}


@pytest.mark.parametrize("q", STABLE)
def test_patterns_that_survive_all_other_modes(q):
    """For Arrhenius rates those with sin^2(pi j/q) > 3/4 max_k sin^2(pi k/q); j = q/3 of even q is on the edge."""
    form = jt.potts.normal_form(jt.PottsRing(q, -1.0, 1.0, G))
    patterns = form.patterns
    assert [pattern.modes for pattern in patterns if pattern.stability == "stable"] == STABLE[q]
    marginal = [pattern.modes for pattern in patterns if pattern.stability == "marginal"]
    assert marginal == ([(2,)] if q == 6 else [])
    for pattern in patterns:
        assert (
            pattern.attractor == ("fixed point" if pattern.modes == (q / 2,) else "limit cycle")
            or len(pattern.modes) > 1
        )


def test_glauber_rates_turn_subcritical_at_strong_force():
    """Two states: the alternating points then lie below beta_c1, where Newton's method finds them, unstable."""
    weak, strong = (jt.PottsRing(2, -1.0, force, G, rates=jt.potts.Glauber()) for force in (0.1, 0.44))
    assert list(jt.potts.normal_form(weak).kind) == ["supercritical"]
    form = jt.potts.normal_form(strong)
    pattern = form.pattern(1)
    assert (pattern.kind, pattern.stability) == ("subcritical", "unstable")
    beta = form.beta - 1e-4
    root, _, converged, _ = newton(field, form.occupation(pattern, beta)[:-1], (strong, beta))
    assert converged
    np.testing.assert_allclose(abs(root[0] - 0.5), pattern.amplitudes[0] * 1e-2, rtol=0.03)
    rate = jax.jacfwd(field)(root, (strong, beta))[0, 0]
    np.testing.assert_allclose(rate, pattern.rates[0] * 1e-4, rtol=0.05)
    with pytest.raises(ValueError, match="`beta` must be <="):
        form.occupation(pattern, form.beta + 0.1)


def test_glauber_rates_mix_two_modes_of_six_states():
    """A stable pattern of one turning and one standing mode; its closed orbit carries both amplitudes."""
    ring = jt.PottsRing(6, -1.0, 0.05, G, rates=jt.potts.Glauber())
    form = jt.potts.normal_form(ring)
    pattern = form.pattern(2, 3)
    assert (pattern.attractor, pattern.stability) == ("limit cycle", "stable")
    distance = 0.0002
    beta = form.beta + distance
    start = form.occupation(pattern, beta)
    turn = 2 * np.pi / abs(pattern.frequencies[0] + pattern.shifts[0] * distance)
    orbit = close_orbit(field, start[:-1], jnp.array(turn), (ring, beta))
    assert orbit.closed
    np.testing.assert_allclose(orbit.period, turn, rtol=1e-3)
    cycle = cycle_orbit(ring, beta, np.append(orbit.point, 1 - orbit.point.sum()), float(orbit.period), range(6))
    waves = np.fft.fft(np.fft.fft(cycle.states, axis=1) / 6, axis=0) / len(cycle.states)
    found = [np.abs(waves[1:, 2]).max(), abs(waves[0, 3])]
    np.testing.assert_allclose(found, pattern.amplitudes * np.sqrt(distance), rtol=0.03)


def test_shared_load_scales_time():
    """V+- of LoadSharing are those of Arrhenius rates times exp[(s - 1/2) beta f]."""
    even, uneven = jt.PottsRing(5, -1.0, 0.8, G), jt.PottsRing(5, -1.0, 0.8, G, rates=jt.potts.LoadSharing(0.8))
    expected, found = jt.potts.normal_form(even), jt.potts.normal_form(uneven)
    scale = np.exp(0.3 * 5.0 * 0.8)
    np.testing.assert_allclose(found.coefficients / complex(scale), expected.coefficients, rtol=1e-11)
    np.testing.assert_allclose(found.growth.real, scale * expected.growth.real, rtol=1e-11)


def test_reversed_force_turns_the_patterns_round():
    forward, backward = (jt.potts.normal_form(jt.PottsRing(5, -1.0, force, G)) for force in (0.8, -0.8))
    np.testing.assert_allclose(backward.coefficients, forward.coefficients.conj(), rtol=1e-12)
    np.testing.assert_allclose(backward.frequencies, -forward.frequencies, rtol=1e-12)


def test_derivatives_and_batches():
    def couplings(force):
        c = jt.potts.normal_form(jt.PottsRing(5, -1.0, force, G)).coefficients
        return jnp.concatenate([c.real.ravel(), c.imag.ravel()])

    force, step = jnp.array(0.8), 1e-5
    central = (couplings(force + step) - couplings(force - step)) / (2 * step)
    np.testing.assert_allclose(jax.jacfwd(couplings)(force), central, rtol=1e-8)
    np.testing.assert_allclose(jax.jacrev(couplings)(force), central, rtol=1e-8)

    forces = jnp.array([0.3, 0.8])
    rings = jax.vmap(lambda f: jt.PottsRing(5, -1.0, f, G))(forces)
    batch = jax.vmap(jt.potts.normal_form)(rings)
    assert batch.kind.shape == batch.lyapunov.shape == (2, 2)
    for lane, force in enumerate(forces):
        alone = jt.potts.normal_form(jt.PottsRing(5, -1.0, force, G))
        np.testing.assert_allclose(batch.coefficients[lane], alone.coefficients, rtol=1e-13)
        np.testing.assert_allclose(batch.lyapunov[lane], alone.lyapunov, rtol=1e-13)


BAD = {
    "repulsion": (jt.PottsRing(3, 0.5, 1.0), "`coupling` must be < 0"),
    "no force": (jt.PottsRing(3, -1.0, 0.0), "`force` must not be 0"),
    "force(t)": (jt.PottsRing(3, -1.0, lambda t: 1.0), "`force` must be constant"),
    "energies": (jt.PottsRing(3, -1.0, 1.0, energies=[0.0, 0.1, 0.0]), "`energies` must be flat"),
    "never unstable": (jt.PottsRing(3, -1.0, 1.0, rates=jt.potts.Glauber()), "critical beta"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rings_are_named(case):
    ring, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        jt.potts.normal_form(ring)


def test_two_states_need_no_force_and_unknown_patterns_are_named():
    form = jt.potts.normal_form(jt.PottsRing(2, -1.0, 0.0, G))
    assert list(form.kind) == ["supercritical"] and np.isnan(form.lyapunov[0])
    with pytest.raises(ValueError, match="`modes` must be those of one of the patterns"):
        form.pattern(2)

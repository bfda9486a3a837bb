"""Cumulants, their generating function, and coherence of N units, against dense linear algebra."""

import jax
import numpy as np
import pytest
import scipy.linalg

import jaxthermo as jt
from jaxthermo.jumps.finite.generator import mesoscopic_hops
from jaxthermo.jumps.finite.hops import network_at
from jaxthermo.jumps.finite.space import space
from jaxthermo.papers.rings import finite

UNEVEN = [0.0, 0.1, 0.3]


def tilted(ring, beta, units, s):
    """The tilted generator as a matrix; s may be complex."""
    states = space(ring.q, units)
    hops = mesoscopic_hops(network_at(ring, beta), states)
    here, target = np.arange(states.size), np.asarray(hops.links.target)
    matrix = -np.diag(np.asarray(hops.outflow())).astype(np.result_type(s, 1.0))
    for there, forward, backward in zip(target, np.asarray(hops.forward), np.asarray(hops.backward), strict=True):
        # A hop that does not exist has both rates zero.
        np.add.at(matrix, (there, here), forward * np.exp(s * float(ring.force)))
        np.add.at(matrix, (here, there), backward * np.exp(-s * float(ring.force)))
    return matrix


@pytest.fixture(scope="module", params=[None, UNEVEN], ids=["flat", "uneven"])
def ring(request):
    return jt.PottsRing(3, -1.0, 0.8, 1.0, request.param)


def test_cumulants_are_derivatives_of_the_leading_eigenvalue(ring):
    found = jt.potts.cumulants(ring, 3.5, 4, order=4)
    # A circle round s = 0: the trapezoidal rule for Cauchy's integral converges geometrically.
    places = 0.2 * np.exp(2j * np.pi * np.arange(16) / 16)
    values = [scipy.linalg.eigvals(tilted(ring, 3.5, 4, s)) for s in places]
    leading = np.array([v[np.argmax(v.real)] for v in values]) / 4
    taylor = np.fft.fft(leading).real / 16 / 0.2 ** np.arange(16)
    expected = taylor[1:5] * np.array([1.0, 2.0, 6.0, 24.0])
    np.testing.assert_allclose(found.cumulant, expected, rtol=1e-8)
    np.testing.assert_allclose(found.hop_cumulant * 0.8 ** np.arange(1, 5), expected, rtol=1e-8)
    exact = jt.potts.mesoscopic_stationary(ring, 3.5, 4)
    assert abs(float(found.current - exact.work_current)) < 1e-11
    assert abs(float(found.entropy_production_rate - exact.entropy_production_rate)) < 1e-11
    assert float(found.uncertainty_ratio) >= 1.0


def test_uncertainty_ratio_is_one_near_equilibrium():
    weak = jt.PottsRing(3, -1.0, 1e-4, 1.0)
    assert abs(float(jt.potts.cumulants(weak, 2.0, 40).uncertainty_ratio) - 1.0) < 1e-6


def test_a_ratio_of_rounding_errors_is_none():
    """Nothing flows round a tree, force or not."""
    tree = jt.JumpNetwork([(0, 1), (1, 2)], [0.0, 1.0, 0.3], -0.5, 0.4)
    found = jt.jumps.cumulants(tree, 1.3, 3)
    assert found.ok and abs(float(found.current)) < 1e-14 and np.isnan(found.uncertainty_ratio)


def test_a_mode_that_does_not_oscillate_has_no_period():
    found = jt.potts.coherence(jt.PottsRing(3, -1.0, 0.0, 0.1), 1.0, 4)
    assert found.ok.all() and float(found.quality_factor) == 0.0 and float(found.period) == np.inf


def test_a_derivative_of_coherence_is_refused_by_its_name():
    def quality(beta):
        return jt.potts.coherence(jt.PottsRing(3, -1.0, 0.0, 0.1), beta, 4).quality_factor

    with pytest.raises(NotImplementedError, match="`coherence` has no derivatives"):
        jax.jvp(quality, (1.0,), (1.0,))


def test_one_unit_is_a_walk_on_a_ring():
    """Independent hops forward and back: all cumulants are their sum or difference."""
    found = jt.potts.cumulants(jt.PottsRing(4, -1.0, 0.8, 1.0), 1.5, 1, order=4)
    forward, backward = np.exp(0.6), np.exp(-0.6)
    expected = [forward - backward, forward + backward] * 2
    np.testing.assert_allclose(found.hop_cumulant, expected, rtol=1e-12)


def test_generating_function_is_the_dense_eigenvalue_and_symmetric(ring):
    s = np.array([-4.2, -3.7, -3.5, -1.75, -0.4, 0.0, 0.2, 0.7])
    found = jt.potts.scaled_cumulant(ring, 3.5, 4, s)
    assert found.ok.all()
    expected = [scipy.linalg.eigvals(tilted(ring, 3.5, 4, one)).real.max() / 4 for one in s]
    np.testing.assert_allclose(found.scaled_cumulant, expected, rtol=1e-10, atol=1e-11)
    # Gallavotti and Cohen: lambda(s) = lambda(-beta - s).
    values = np.asarray(found.scaled_cumulant)
    np.testing.assert_allclose(values[[0, 1, 2]], values[[7, 6, 5]], rtol=1e-10, atol=1e-11)
    exact = jt.potts.cumulants(ring, 3.5, 4)
    assert abs(float(found.current[5] - exact.current)) < 1e-7
    assert abs(float(found.current[2] + exact.current)) < 1e-7
    assert abs(float(found.rate_function[5])) < 1e-10 and (found.rate_function > -1e-10).all()
    # The rate function's fluctuation theorem, I(-w) - I(w) = beta w.
    assert abs(float(found.rate_function[2] - found.rate_function[5] - 3.5 * found.current[5])) < 1e-6


@pytest.mark.parametrize(("beta", "energies"), [(3.5, None), (3.5, UNEVEN), (8.0, UNEVEN)])
def test_generating_function_by_multigrid(beta, energies):
    """On 496 states; at beta = 8 the stationary state is a well, and what leads at s = 0.1 goes round."""
    ring = jt.PottsRing(3, -1.0, 1.0, 1.0, energies)
    found = jt.potts.scaled_cumulant(ring, beta, 30, [0.1, -beta - 0.1])
    assert space(3, 30).coarse is not None and found.ok.all()
    np.testing.assert_allclose(found.scaled_cumulant[0], found.scaled_cumulant[1], rtol=1e-9)
    expected = scipy.linalg.eigvals(tilted(ring, beta, 30, 0.1)).real.max() / 30
    np.testing.assert_allclose(found.scaled_cumulant[0], expected, rtol=1e-9)


@pytest.mark.parametrize(("q", "energies"), [(3, None), (3, UNEVEN), (4, None), (5, None)])
def test_coherence_is_that_of_the_dense_spectrum(q, energies):
    units = {3: 12, 4: 6, 5: 4}[q]
    ring = jt.PottsRing(q, -1.0, 1.0, 1.0, energies)
    found = jt.potts.coherence(ring, 3.5, units)
    values = scipy.linalg.eigvals(tilted(ring, 3.5, units, 0.0))
    values = values[np.argsort(-values.real)][1:]
    slowest = values[0]
    assert found.ok.all()
    assert abs(float(found.phase_diffusion) + slowest.real) < 1e-8
    assert abs(float(found.quality_factor) - abs(slowest.imag / slowest.real)) < 1e-8
    if energies is None:
        for real, imag in zip(np.asarray(found.eigenvalue_real), np.asarray(found.eigenvalue_imag), strict=True):
            assert np.min(abs(values - complex(real, imag))) < 1e-8


def test_coherence_grows_with_the_number_of_units():
    """In the synchronised phase phase diffusion falls like 1/N, so the quality factor doubles."""
    ring = jt.PottsRing(3, -1.0, 1.0, 1.0)
    small, large = (jt.potts.coherence(ring, 3.5, units) for units in (20, 40))
    # Both eigenvalues are those of a shift-and-invert Arnoldi method, to its four printed digits.
    assert abs(complex(small.eigenvalue_real[0], abs(small.eigenvalue_imag[0])) - (-1.6377 + 3.4792j)) < 1e-4
    assert abs(complex(large.eigenvalue_real[0], abs(large.eigenvalue_imag[0])) - (-1.0364 + 3.7315j)) < 1e-4
    assert large.quality_factor > 1.5 * small.quality_factor


def test_the_figure_shows_both_currents_and_modes(tmp_path):
    data = finite.approach((10,))
    assert abs(float(data.work_current[1, 0]) - 4.031581) < 1e-6 and abs(float(data.mean_field[1]) - 4.7463) < 1e-4
    assert (data.quality_factor > 0.5).all() and (data.residual < 1e-10).all()
    assert all(path.stat().st_size > 10_000 for path in finite.draw(data, tmp_path / "finite"))

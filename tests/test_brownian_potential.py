"""Potentials, their Moyal phase and the poles of the bath, against finite differences and exact arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt
from jaxthermo.brownian.bath import MAX_POLES, expansion, multi_indices
from jaxthermo.brownian.potential import as_potential, force_phase

Q, Y = jnp.linspace(-3.0, 3.0, 13), jnp.linspace(0.2, 6.0, 9)
HBAR = jnp.asarray(0.7)


def cosh(q):
    return 0.3 * jnp.cosh(q)


def morse(q):
    return 2.0 * (1.0 - jnp.exp(-0.5 * q)) ** 2


def phase(function):
    return as_potential("potential", function).moyal_phase(Q, Y, HBAR)


def finite_difference(potential, hbar):
    """The phase from its definition, by numpy."""
    q, shift = np.asarray(Q)[None, :], 0.5 * hbar * np.asarray(Y)[:, None]
    return (potential(q + shift) - potential(q - shift)) / hbar


@pytest.mark.parametrize("coefficients", [[1.0], [0.0, 2.0], [0, 0, 0.5], [0.3, 0.1, 0.1, 0.02, 0.05], np.arange(8.0)])
def test_moyal_series_of_a_polynomial_is_its_finite_difference(coefficients):
    polynomial = np.polynomial.Polynomial(coefficients)
    series = jt.Polynomial(coefficients).moyal_phase(Q, Y, HBAR)
    # The difference of two values of the polynomial loses digits, the series does not.
    expected = finite_difference(polynomial, 0.7)
    np.testing.assert_allclose(series, expected, rtol=1e-11, atol=1e-11 * (1 + np.abs(expected).max()))


def test_a_quartic_given_as_a_function_has_the_phase_of_the_polynomial():
    coefficients = [0.0, 0.0, 0.1, 0.02, 0.05]
    polynomial = jt.Polynomial(coefficients)
    by_function = phase(lambda q: polynomial(q))
    np.testing.assert_allclose(by_function, polynomial.moyal_phase(Q, Y, HBAR), rtol=1e-12, atol=1e-12)


def test_quartic_phase_is_the_third_derivative_term():
    """U' y + (hbar^2/24) U''' y^3: the form of the equation for a polynomial of degree 4."""
    slope = (0.2 * Q + 0.06 * Q**2 + 0.2 * Q**3)[None]
    third = (0.12 + 1.2 * Q)[None]
    expected = slope * Y[:, None] + HBAR**2 / 24.0 * third * Y[:, None] ** 3
    series = jt.Polynomial([0, 0, 0.1, 0.02, 0.05]).moyal_phase(Q, Y, HBAR)
    np.testing.assert_allclose(series, expected, rtol=1e-12, atol=1e-12)


def test_closed_forms_of_two_functions_that_are_no_polynomials():
    """cosh(a+b) - cosh(a-b) = 2 sinh a sinh b, and the Morse phase from exp likewise."""
    s = 0.5 * HBAR * Y[:, None]
    np.testing.assert_allclose(
        as_potential("potential", cosh).moyal_phase(Q, Y, HBAR),
        0.6 * jnp.sinh(Q)[None] * jnp.sinh(s) / HBAR,
        rtol=1e-12,
        atol=1e-12,
    )
    q = Q[None]
    expected = 4.0 * (2.0 * jnp.exp(-0.5 * q) * jnp.sinh(0.5 * s) - jnp.exp(-q) * jnp.sinh(s)) / HBAR
    np.testing.assert_allclose(phase(morse), expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("potential", [jt.Polynomial([0, 0, 0.1, 0.02, 0.05]), cosh, morse])
def test_the_classical_limit_is_the_force(potential):
    """The next term is of order hbar^2: at hbar and hbar/2 the differences are as 4 to 1."""
    potential = as_potential("potential", potential)
    force = force_phase(potential, Q, Y)
    np.testing.assert_allclose(force, jax.vmap(jax.grad(potential))(Q)[None] * Y[:, None], rtol=1e-13)
    differences = [potential.moyal_phase(Q, Y, jnp.asarray(h)) - force for h in (0.02, 0.01)]
    # 1e-11: rounding of the difference of two values, over hbar.
    np.testing.assert_allclose(differences[0], 4.0 * differences[1], rtol=1e-3, atol=1e-10)


def test_polynomial_derivatives():
    polynomial = jt.Polynomial([0.3, 0.1, 0.1, 0.02, 0.05])
    reference = np.polynomial.Polynomial([0.3, 0.1, 0.1, 0.02, 0.05])
    for order in range(7):
        np.testing.assert_allclose(polynomial.derivative(order)(Q), reference.deriv(order)(np.asarray(Q)), rtol=1e-13)


@pytest.mark.parametrize("poles", range(MAX_POLES + 1))
@pytest.mark.parametrize("scheme", ["pade", "matsubara"])
def test_poles_and_weights_are_those_of_exact_arithmetic(scheme, poles):
    """Eigenvalues of Hu's matrix against Gauss quadrature from Bernoulli numbers."""
    xi, eta = expansion(scheme, poles)
    expected_xi, expected_eta = getattr(exact, scheme)(poles)
    np.testing.assert_allclose(xi, expected_xi, rtol=1e-12)
    # Weights are products of differences of nearly equal squares.
    np.testing.assert_allclose(eta, expected_eta, rtol=1e-10)
    if scheme == "pade":
        np.testing.assert_allclose(1.0 + 2.0 * eta.sum(), (poles + 1) * (2 * poles + 1), rtol=1e-12)


def test_the_expansion_approaches_coth():
    x = np.linspace(0.5, 5.0, 10)
    for poles in (2, 4, 6):
        xi, eta = expansion("pade", poles)
        series = 2.0 / x * (1.0 + (2.0 * eta * x[:, None] ** 2 / (x[:, None] ** 2 + xi**2)).sum(axis=1))
        # Pade forms of degree K agree with coth to x^(4K): at x = 5 far inside their range for K = 4 and 6.
        assert np.abs(series * np.tanh(x / 2) - 1.0).max() < {2: 2e-2, 4: 1e-5, 6: 1e-9}[poles]


@pytest.mark.parametrize(("modes", "depth", "count"), [(0, 5, 1), (1, 0, 1), (1, 4, 5), (2, 6, 28), (3, 2, 10)])
def test_number_of_members(modes, depth, count):
    """binom(modes + depth, depth), with 0 first and by level."""
    indices = multi_indices(modes, depth)
    assert indices.shape == (count, modes)
    assert not indices[0].any()
    level = indices.sum(axis=1)
    assert np.all(np.diff(level) >= 0) and (modes == 0 or level.max() == depth)
    assert len({tuple(n) for n in indices}) == count

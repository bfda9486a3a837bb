"""Least work of a parabola whose stiffness is changed, without a grid: closed forms and a search over the variance.

With kicks the correlation of q and p is free, so the variance w(t) = <q^2> may follow any path. D = <q^2><p^2> - <qp>^2
then follows from w alone, D' = -2 g D/m + 2 g T w, and with it the work (g the friction):
W = k_f w_f/2 + D_f/(2 m w_f) - T + int (g/m) [(D + m^2 w'^2/4)/(m w) - T] dt.
"""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev, legendre
from scipy.optimize import minimize

# Times at which w and D are known.
NODES = 40


def overdamped(beta, k_start, k_end, duration, friction):
    """Schmiedl & Seifert 2007, w(t) = w_0 (1 + c t)^2.

    W = k_f w_f/2 - T/2 - (T/2) ln(w_f/w_0) + (sqrt w_f - sqrt w_0)^2 g/t
    """
    T, speed = 1.0 / beta, 2.0 * friction / duration
    first = np.sqrt(T / k_start)
    # d/du [k_f u^2/2 - T ln u + (u - first)^2 g/t] = 0 for u = sqrt(w_f).
    u = (speed * first + np.sqrt((speed * first) ** 2 + 4.0 * (k_end + speed) * T)) / (2.0 * (k_end + speed))
    return 0.5 * k_end * u**2 - 0.5 * T - T * np.log(u / first) + 0.5 * speed * (u - first) ** 2


def underdamped(beta, k_start, k_end, duration, friction, mass=1.0, order=12):
    """The least work over ln w(t), polynomials of this order, and the variances in Chebyshev's nodes and at the end."""
    T, g = 1.0 / beta, friction / mass
    nodes = 0.5 * (1.0 - np.cos(np.pi * np.arange(NODES + 1) / NODES))
    values = chebyshev.chebvander(2.0 * nodes - 1.0, NODES)
    slopes = np.stack([chebyshev.chebval(2.0 * nodes - 1.0, chebyshev.chebder(row)) for row in np.eye(NODES + 1)], 1)
    slope = jnp.asarray(2.0 / duration * slopes @ np.linalg.inv(values))
    points, weights = legendre.leggauss(NODES)
    mean = jnp.asarray(0.5 * weights @ chebyshev.chebvander(points, NODES) @ np.linalg.inv(values))
    shapes = jnp.asarray(nodes[:, None] * values[:, :order])
    w_start = T / k_start
    # D' + 2 g D = 2 g friction-noise with D(0) in the first row.
    whole = jnp.asarray(np.asarray(slope) + 2.0 * g * np.eye(NODES + 1)).at[0].set(jnp.eye(NODES + 1)[0])

    def work(c):
        w = w_start * jnp.exp(shapes @ c)
        D = jnp.linalg.solve(whole, (2.0 * friction * T * w).at[0].set(mass * T * w_start))
        lost = g * ((D + 0.25 * mass**2 * (slope @ w) ** 2) / (mass * w) - T)
        return 0.5 * k_end * w[-1] + 0.5 * D[-1] / (mass * w[-1]) - T + duration * mean @ lost

    with_slope = jax.jit(jax.value_and_grad(work))
    found = minimize(
        lambda c: tuple(map(np.asarray, with_slope(c))), np.zeros(order), jac=True, method="BFGS", tol=1e-9
    )
    return float(found.fun)

"""Canonical entropies of H_A alone, and the fields at which they are equal: where isentropic strokes begin and end."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike
from jaxthermo.brownian.accuracy.automatic import FALLEN
from jaxthermo.brownian.accuracy.reach import confined
from jaxthermo.brownian.equilibria.quasistatic import partition_of
from jaxthermo.brownian.levels.matrices import MESH, ROOM, energies
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.checks import as_float, require_finite, require_known, require_positive_scalar

# Kinetic energies that a mesh of wave functions holds, over the temperature; and the most points that a mesh may have.
HELD, MOST = 40.0, 1500
# How near the field is found, over the larger of its bounds.
CLOSE = 1e-15


def isentropic_field(
    oscillator: Oscillator, beta: ScalarLike, x: ScalarLike, beta_end: ScalarLike, bounds: Sequence[ScalarLike]
) -> Float[Array, ""]:
    """The field at which the canonical state of another temperature has the entropy of this one.

    Equation   S(beta_end, x_end) = S(beta, x), S = ln Z + beta <H_A>, Z of exp(-beta H_A), H_A = p^2/2m + U - xX:
               classical by quadrature, quantum from the levels. It is where a slow stroke without a bath should end

    oscillator   of `jt.quantum_oscillator` or `jt.classical_oscillator`; the coupling to its bath does not enter
    beta, x      of the state before the stroke: inverse temperature, 1/energy, and field, energy per unit of X; scalars
    beta_end     inverse temperature after it, 1/energy; a scalar
    bounds       (low, high), two fields on both sides of the one that is looked for; between them H_A has to confine
    Returns      x_end, energy per unit of X
    Raises       ValueError that names the argument; if the entropies at both bounds lie on one side of S(beta, x); if
                 a quantum oscillator is so hot (beta hbar w below 0.04 in a parabola) that its levels are too
                 many to be counted; if jax traces a value
    Accuracy     rounding errors of the entropy over its slope, about 1e-12

    Equal entropy makes the stroke reversible where one factor takes all energies of H_A to those at the other field, as
    for a parabola whose stiffness is the field, or a power of q. In other potentials a slow stroke ends in a state
    that is not canonical, though near it, and the next bath takes the difference as waste. With strong coupling the
    entropy that counts is that of the correlated state, which this is not.

    Example
        >>> import jaxthermo as jt
        >>> breathing = jt.classical_oscillator(jt.Polynomial([0, 0, 0.5]), 0.5, coordinate=lambda q: -0.5 * q * q)
        >>> round(float(jt.isentropic_field(breathing, 0.5, 0.0, 1.0, (-0.9, 0.0))), 6)  # (1 + x) beta^2 stays the same
        -0.75
    """
    from scipy.optimize import brentq

    require_known("isentropic_field", jax.tree.leaves((oscillator, beta, x, beta_end, bounds)), "give x_values")
    beta, x = check_place(oscillator, beta, x)
    beta_end = require_positive_scalar("beta_end", beta_end)
    require_finite("bounds", as_float(bounds))
    wanted = canonical_entropy(oscillator, float(beta), float(x))
    low, high = (float(side) for side in bounds)

    @functools.cache
    def excess(field: float) -> float:
        return canonical_entropy(oscillator, float(beta_end), field) - wanted

    ends = [excess(side) for side in (low, high)]
    if not ends[0] * ends[1] <= 0.0:
        raise ValueError(
            f"`bounds` must hold a field at which the entropy is {wanted:.6g}, but those at {low:g} and {high:g} "
            f"are {ends[0] + wanted:.6g} and {ends[1] + wanted:.6g}"
        )
    # The larger bound is the unit of fields, whatever those of the user are.
    return as_float(brentq(excess, low, high, xtol=CLOSE * max(abs(low), abs(high))))


def canonical_entropy(oscillator: Oscillator, beta: float, x: float) -> float:
    """ln Z + beta <H_A - xX> of the canonical state of H_A."""
    if not oscillator.quantum:
        partition = partition_of(oscillator, beta, x)
        energy, X, _ = partition.means(beta, x)
        return float(partition(beta, x) + beta * (energy - x * X))
    end = ROOM * confined(oscillator, beta, x, FALLEN)
    shortest = 2.0 * np.pi * float(oscillator.hbar) / np.sqrt(2.0 * float(oscillator.mass) * HELD / beta)
    points = max(MESH, int(4.0 * end / shortest) + 1)
    if points > MOST:
        raise ValueError(
            f"`beta` must be so large that waves on {MOST} points hold the populated levels, but {beta:.6g} at the "
            f"field {x:.6g} takes {points} points; there jt.classical_oscillator has nearly the same entropy"
        )
    above = energies(oscillator, x, end, points)
    above = beta * (above - above[0])
    weights = np.exp(-above)
    return float(np.log(weights.sum()) + weights @ above / weights.sum())

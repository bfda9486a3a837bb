"""Canonical entropies of H_A alone, and the fields at which they are equal: where isentropic strokes begin and end."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike
from jaxthermo.brownian.accuracy.automatic import FALLEN
from jaxthermo.brownian.accuracy.reach import confined
from jaxthermo.brownian.equilibrium.quasistatic import partition_of
from jaxthermo.brownian.levels.matrices import MESH, ROOM, eigenstates
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.checks import as_float, require_finite, require_known, require_positive_scalar

# Halvings of the interval of fields.
HALVINGS = 52


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
                 jax traces a value
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
    require_known("isentropic_field", jax.tree.leaves((oscillator, beta, x, beta_end, bounds)), "give x_values")
    beta, x = check_place(oscillator, beta, x)
    beta_end = require_positive_scalar("beta_end", beta_end)
    require_finite("bounds", as_float(bounds))
    wanted = canonical_entropy(oscillator, float(beta), float(x))
    low, high = (float(side) for side in bounds)
    ends = [canonical_entropy(oscillator, float(beta_end), side) - wanted for side in (low, high)]
    if not ends[0] * ends[1] <= 0.0:
        raise ValueError(
            f"`bounds` must hold a field at which the entropy is {wanted:.6g}, but those at {low:g} and {high:g} "
            f"are {ends[0] + wanted:.6g} and {ends[1] + wanted:.6g}"
        )
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if (canonical_entropy(oscillator, float(beta_end), middle) - wanted) * ends[0] > 0.0:
            low = middle
        else:
            high = middle
    return as_float(0.5 * (low + high))


def canonical_entropy(oscillator: Oscillator, beta: float, x: float) -> float:
    """ln Z + beta <H_A - xX> of the canonical state of H_A."""
    if not oscillator.quantum:
        partition = partition_of(oscillator, beta, x)
        energy, X, _ = partition.means(beta, x)
        return float(partition(beta, x) + beta * (energy - x * X))
    levels, _ = eigenstates(oscillator, x, ROOM * confined(oscillator, beta, x, FALLEN), MESH // 2)
    above = beta * (levels - levels[0])
    weights = np.exp(-above)
    return float(np.log(weights.sum()) + weights @ above / weights.sum())

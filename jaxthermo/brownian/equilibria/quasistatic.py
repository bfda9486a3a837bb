"""The quasi-static Planck potential: ln Z by quadrature, with a tabulated correction for the quantum oscillator."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo._types import ScalarLike, VectorLike
from jaxthermo.brownian.accuracy.automatic import NO_GRID
from jaxthermo.brownian.accuracy.reach import confined, narrowness
from jaxthermo.brownian.equilibria.planck_table import PlanckTable, planck_table
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.checks import is_known

# The mesh q = scale sinh(u), |u| <= REACH, reaches 1490 scales. With so many points on each side its step is a
# hundredth of a scale at the origin, and of q far from it; there are up to MOST times more for a narrow well far away.
REACH, HALF_POINTS, MOST = 8.0, 800, 64
# Steps of the mesh in the width of a density, at its far end.
FINE = 1.5
# Lengths over which a potential confines, in scales: there the density has fallen to FALLEN.
SPAN, FALLEN = 5.0, 1e-13


class Partition(eqx.Module):
    """ln Z(beta, x) = ln of the integral of exp[-beta (p^2/2m + U - x X)] dq dp / (2 pi hbar), and its derivatives.

    The mesh is fixed but stretches over three decades of q, so one serves all temperatures and fields, under any
    transformation of jax. The trapezoidal rule on it is exact to rounding for smooth confining potentials.
    `half_points`: of the mesh, on each side of the origin.
    """

    oscillator: Oscillator
    scale: Float[Array, ""]
    half_points: int = eqx.field(static=True, default=HALF_POINTS)

    def __call__(self, beta: Any, x: Any) -> Float[Array, ""]:
        exponent, _, _ = self._exponent(beta, x)
        mass, hbar = self.oscillator.mass, self.oscillator.hbar
        return jax.nn.logsumexp(exponent) + 0.5 * jnp.log(2.0 * np.pi * mass / beta) - jnp.log(2.0 * np.pi * hbar)

    def means(self, beta: Any, x: Any) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        """<H_0> = 1/(2 beta) + <U>, <X>, and the variance of X."""
        exponent, energy, coordinate = self._exponent(beta, x)
        weight = jax.nn.softmax(exponent)
        X = jnp.sum(weight * coordinate)
        return 0.5 / beta + jnp.sum(weight * energy), X, jnp.sum(weight * (coordinate - X) ** 2)

    def _exponent(self, beta: Any, x: Any) -> tuple[Array, Array, Array]:
        u = jnp.linspace(-REACH, REACH, 2 * self.half_points + 1)
        q = self.scale * jnp.sinh(u)
        energy, coordinate = jnp.asarray(self.oscillator.potential(q)), jnp.asarray(self.oscillator.coordinate(q))
        jacobian = jnp.log(self.scale * jnp.cosh(u) * (REACH / self.half_points))
        return jacobian - beta * (energy - x * coordinate), energy, coordinate


class QuasiStatic(eqx.Module):
    """Xi_qst(beta, x) of one oscillator, differentiable; call it."""

    partition: Partition
    table: PlanckTable | None

    def __call__(self, beta: Any, x: Any) -> Float[Array, ""]:
        """The Planck potential at one beta and x."""
        classical = self.partition(beta, x)
        return classical if self.table is None else classical + self.table(beta, x)


def partition_of(oscillator: Oscillator, beta: Any = None, x: Any = None) -> Partition:
    """The classical partition function, on a mesh that suits the oscillator's grid or, without one, these values.

    Raises     ValueError if there is no grid and jax traces the values; if the density is too narrow beside its
               distance from q = 0
    """
    if oscillator.grid is not None:
        reach, steps = oscillator.grid.q_max, float(oscillator.grid.q_side)
    elif is_known(jax.tree.leaves((oscillator, beta, x))):
        coldest, fields = float(np.max(beta)), {float(np.min(x)), float(np.max(x))}
        reach = jnp.asarray(confined(oscillator, coldest, float(np.mean(x)), FALLEN))
        steps = FINE * max(narrowness(oscillator, coldest, field, FALLEN) for field in fields)
    else:
        raise ValueError(NO_GRID)
    # As many steps to the far end as the density asks for, in powers of two, to compile few programs.
    half_points = HALF_POINTS * int(2.0 ** np.ceil(np.log2(max(1.0, REACH * steps / HALF_POINTS))))
    if half_points > MOST * HALF_POINTS:
        raise ValueError(
            f"`potential` must have its well nearer to q = 0, whose distance is {steps / FINE:.2g} times the width of "
            "the density in it; let q begin at the well"
        )
    return Partition(eqx.tree_at(lambda o: o.grid, oscillator, None), reach / SPAN, half_points)


def quasi_static(
    oscillator: Oscillator, betas: VectorLike, fields: VectorLike, *, progress: bool | None = None
) -> QuasiStatic:
    """Xi_qst for all beta up to the largest of `betas` and all x between the extremes of `fields`.

    progress   as in `planck_potential`

    The quantum oscillator's table is computed, or read from the disk (see `planck_table`); its values must be known.

    Example
        >>> import jaxthermo as jt
        >>> oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0)
        >>> table = jt.brownian.quasi_static(oscillator, [0.5, 1.0], [0.0, 1.0])
        >>> round(float(table(1.0, 1.0) - table(1.0, 0.0)), 4)  # beta x^2/2
        0.5
    """
    partition = partition_of(oscillator, betas, fields)
    if not oscillator.quantum:
        return QuasiStatic(partition, None)
    return QuasiStatic(partition, planck_table(oscillator, partition, betas, fields, progress))


def planck_potential(
    oscillator: Oscillator, beta: ScalarLike, x: ScalarLike, *, progress: bool | None = None
) -> Float[Array, ""]:
    """The quasi-static Planck potential Xi_qst(beta, x~), x~ = beta x.

    Equation   classical: ln Z, Z = integral of exp[-beta (H_0 - x X)] dq dp / (2 pi hbar);
               quantum: from infinite temperature, where it is the classical one, along constant field,
               Xi = ln Z - integral_0^beta [H(b, x) - H_cl(b, x)] db, with H = U - x X of the correlated equilibrium
    oscillator of `jt.quantum_oscillator` or `jt.classical_oscillator`
    beta       inverse temperature, 1/energy; a scalar (classical: batch with jax.vmap)
    x          field, energy per unit of X; a scalar
    progress   whether a line on standard error tells how many equilibria of the table are done; None: on a terminal and
               in notebooks, where it takes seconds
    Returns    Xi, a scalar without unit; -Xi/beta is the free energy
    Accuracy   1e-7 (the damped harmonic oscillator against closed moments)
    Raises     ValueError that names the argument; quantum: also where jax traces beta or x (use
               `jt.brownian.quasi_static(oscillator, betas, fields)`, which returns a differentiable function)
    Source     Koyanagi & Tanimura 2024, Eqs. (12)-(17)

    Quantum values depend on the number of poles, as <p^2> does. They take 12 equilibrium states, kept on the disk.

    Example
        >>> import jaxthermo as jt
        >>> harmonic = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(8.0, 0.4, 8.0, 0.4))
        >>> round(float(jt.planck_potential(harmonic, beta=1.0, x=1.0)), 6)  # ln(1/beta) + beta x^2/2
        0.5
    """
    beta, x = check_place(oscillator, beta, x)
    return quasi_static(oscillator, beta, x, progress=progress)(beta, x)

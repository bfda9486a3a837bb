"""Entropy production of any master equation in two parts: what drives the state on, and what keeps rest from rest.

The states may be those of one unit or of many; hops are listed, and two reservoirs that join the same states have a hop
each.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxthermo.jumps.elimination import stationary_for
from jaxthermo.solve.derivatives import stop_gradient

# Added to the diagonal of a scaled Laplacian, whose entries are 1 there: states that nothing reaches stay regular.
REGULAR = 1e-15
# Entropy production below this share of the conductances is lost in their rounding errors.
AT_REST = 1e-12


class Steps(eqx.Module):
    """Hops between n states: the rate `forward` leads from `first` to `second`, `backward` back.

    A hop with both rates zero is none.
    """

    first: Int[Array, " hops"]
    second: Int[Array, " hops"]
    forward: Float[Array, " hops"]
    backward: Float[Array, " hops"]

    def gains(self, flow: Float[Array, " hops"], like: Array) -> Array:
        """What a flow along every hop brings to each state."""
        return jnp.zeros_like(like).at[self.second].add(flow).at[self.first].add(-flow)


class Split(eqx.Module):
    """Rates of entropy production, and how far the first two are from their sum, relative to it; see `split`."""

    entropy_production_rate: Float[Array, "*batch"]
    housekeeping: Float[Array, "*batch"]
    excess: Float[Array, "*batch"]
    adiabatic: Float[Array, "*batch"]
    nonadiabatic: Float[Array, "*batch"]
    residual: Float[Array, "*batch"]


def split(p: Float[Array, " n"], steps: Steps) -> Split:
    """Both splittings of the entropy production, each by its own formula, so that the sums are checks.

    Equation   flows a_e = V+_e p_i, b_e = V-_e p_j, current J_e = a_e - b_e, thermodynamic force F_e = ln(a_e/b_e),
               conductance c_e = J_e/F_e; total = sum J_e F_e;
               excess = sum c_e (phi_i - phi_j)^2, where the currents c_e (phi_i - phi_j) of a potential phi change p
               just as the J_e do; housekeeping = sum c_e (F_e - phi_i + phi_j)^2;
               nonadiabatic = -sum dp_i/dt ln(p_i/pi_i), adiabatic = sum J_e ln(V+_e pi_i/(V-_e pi_j)), where pi is at
               rest under the present rates
    Source     the first: Maes & Netocny, J. Stat. Phys. 154, 188 (2014); Yoshimura, Kolchinsky, Dechant & Ito, Phys.
               Rev. Research 5, 013017 (2023); the second: Esposito & Van den Broeck, PRL 104, 090601 (2010)

    A flow out of an empty state is read as the smallest normal number.
    """
    tiny = jnp.finfo(p.dtype).tiny
    a, b = steps.forward * p[steps.first], steps.backward * p[steps.second]
    current = a - b
    a, b = jnp.maximum(a, tiny), jnp.maximum(b, tiny)
    force = jnp.log(a) - jnp.log(b)
    change = steps.gains(current, p)
    total = jnp.sum(current * force)

    conductance = jnp.sqrt(a) * jnp.sqrt(b) * _sinh_over(0.5 * force)
    potential = _potential(change, steps, conductance)
    needed = potential[steps.first] - potential[steps.second]
    excess = jnp.sum(conductance * needed**2)
    housekeeping = jnp.sum(conductance * (force - needed) ** 2)

    log_rest = jnp.log(jnp.maximum(at_rest(steps, p.shape[0]), tiny))
    ratio = jnp.log(jnp.maximum(steps.forward, tiny)) - jnp.log(jnp.maximum(steps.backward, tiny))
    adiabatic = jnp.sum(current * (ratio + log_rest[steps.first] - log_rest[steps.second]))
    nonadiabatic = -jnp.sum(change * (jnp.log(jnp.maximum(p, tiny)) - log_rest))
    off = jnp.abs(housekeeping + excess - total) / jnp.maximum(total, AT_REST * jnp.sum(conductance))
    return Split(total, housekeeping, excess, adiabatic, nonadiabatic, off)


def _sinh_over(x: Array) -> Array:
    """sinh(x)/x."""
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 1.0, x)
    return jnp.where(small, 1.0 + x**2 / 6.0 * (1.0 + x**2 / 20.0), jnp.sinh(safe) / safe)


def _potential(change: Float[Array, " n"], steps: Steps, conductance: Float[Array, " hops"]) -> Float[Array, " n"]:
    """phi with sum of c_e (phi_i - phi_j) into each state = `change`: a Laplacian system, scaled to a unit diagonal."""
    n = change.shape[0]
    degree = jnp.zeros(n, change.dtype).at[steps.first].add(conductance).at[steps.second].add(conductance)
    scale = 1.0 / jnp.sqrt(degree)
    joined = conductance * scale[steps.first] * scale[steps.second]
    # Constant potentials, which move nothing, are the one null vector; it is filled.
    null = jnp.sqrt(degree / jnp.sum(degree))
    matrix = (1.0 + REGULAR) * jnp.eye(n, dtype=change.dtype) + null[:, None] * null[None, :]
    matrix = matrix.at[steps.first, steps.second].add(-joined).at[steps.second, steps.first].add(-joined)
    return -scale * jnp.linalg.solve(matrix, scale * change)


def at_rest(steps: Steps, n: int) -> Float[Array, " n"]:
    """The stationary distribution of fixed rates, every entry to relative accuracy; derivatives of any order.

    Elimination without subtractions keeps all digits of small probabilities; derivatives are those of the linear
    equation that the distribution solves.
    Source     Grassmann, Taksar & Heyman, Oper. Res. 33, 1107 (1985)
    """
    p = stationary_for(stop_gradient(_rates(steps, n)))
    rates = _rates(steps, n)
    generator = rates.T - jnp.diag(jnp.sum(rates, axis=1))
    # One equation follows from the others; in its place stands sum p = 1.
    open_ends = jnp.dot(generator, p, precision="highest").at[0].set(0.0)
    correction = -jnp.linalg.solve(generator.at[0].set(1.0), open_ends)
    # The correction is a rounding error; its derivatives are those of p.
    return p + (correction - jax.lax.stop_gradient(correction))


def _rates(steps: Steps, n: int) -> Float[Array, "n n"]:
    """From the row's state to the column's."""
    rates = jnp.zeros((n, n), steps.forward.dtype).at[steps.first, steps.second].add(steps.forward)
    return rates.at[steps.second, steps.first].add(steps.backward)

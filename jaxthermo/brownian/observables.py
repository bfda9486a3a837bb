"""What is measured on one state of the hierarchy."""

from dataclasses import fields
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.grid import complex_multiply
from jaxthermo.brownian.hierarchy import Equation, HierarchyState, members_of
from jaxthermo.brownian.oscillator import Oscillator

# Unit and meaning of what is measured on a state. Grid and hierarchy hold it where edge, coarse, tails are small.
LABELS = {
    "norm": ("1", "int W dq dp"),
    "X": ("X", "<X(q)>"),
    "U": ("energy", "internal energy <p^2>/2m + <U(q)>"),
    "q": ("length", "<q>"),
    "q2": ("length^2", "<q^2>"),
    "p2": ("momentum^2", "<p^2>"),
    "qp": ("action", "<qp + pq>/2"),
    "min_wigner": ("1/action", "lowest value of W"),
    "purity": ("1", "2 pi hbar int W^2"),
    "edge": ("1", "largest |W| on the rim of the grid over the largest in it"),
    "coarse": ("1", "largest Fourier coefficient of the highest waves of the grid over the largest of all"),
    "tail": ("1", "largest member of the last level of the hierarchy over the largest of the first"),
    "tail_density": ("1", "largest int |int V_n dp| dq of the last level: what it does to the density of positions"),
}


def measured(name: str, *dims: str) -> tuple[str, str, tuple[str, ...]]:
    """What `quantity` asks of the measured quantity of this name, over these axes."""
    return *LABELS[name], dims


class Means(eqx.Module):
    """Expectation values of one state; see `LABELS`."""

    norm: Float[Array, ""]
    X: Float[Array, ""]
    U: Float[Array, ""]
    q: Float[Array, ""]
    q2: Float[Array, ""]
    p2: Float[Array, ""]
    qp: Float[Array, ""]


class Moments(Means):
    """What work and heat are made of; see `moments`."""

    with_noise: Float[Array, " modes"]  # <p b_k> less jitter_k, of the noises zeta_k = jitter_k b_k
    noise_at_place: Float[Array, " modes"]  # <q b_k>


class Observables(Means):
    """Expectation values, and how well the grid and the hierarchy hold the state."""

    min_wigner: Float[Array, ""]
    purity: Float[Array, ""]
    edge: Float[Array, ""]
    coarse: Float[Array, ""]
    tail: Float[Array, ""]
    tail_density: Float[Array, ""]

    def named(self) -> dict[str, Array]:
        """All of them by name."""
        return {name: getattr(self, name) for name in LABELS}


@eqx.filter_jit
def observe(
    V: HierarchyState, equation: Equation, temperature: Any, t: Any = 0.0, W: Float[Array, "p q"] | None = None
) -> Observables:
    """Measure one state, whose members are written for this temperature; W, if it is known, is its `wigner`."""
    grid, oscillator = equation.grid, equation.oscillator
    low = moments(V[:, low_members(oscillator)], equation, temperature, t)
    W = wigner(V, equation, temperature, t) if W is None else W
    peak = jnp.max(jnp.abs(V[:, 0]))
    last = _last_level(V, equation)
    return Observables(
        **{field.name: getattr(low, field.name) for field in fields(Means)},
        min_wigner=jnp.min(W),
        purity=2.0 * np.pi * oscillator.hbar * jnp.vdot(W, W, precision="highest") * grid.cell,
        edge=rim_share(V[:, 0]),
        coarse=jnp.maximum(_highest(grid.p_to_y() @ V[:, 0]), _highest(grid.q_to_k() @ V[:, 0].T)),
        tail=jnp.max(jnp.abs(last)) / peak,
        tail_density=jnp.max(jnp.sum(jnp.abs(jnp.sum(last, axis=0)), axis=-1)) * grid.cell,
    )


def rim_share(density: Float[Array, "p q"]) -> Float[Array, ""]:
    """The largest value on the rim of the grid over the largest in it; 0 where there is none."""
    size = jnp.abs(density)
    along_q, along_p = jnp.max(size, axis=0), jnp.max(size, axis=1)
    peak = jnp.max(along_q)
    rim = jnp.maximum(jnp.maximum(along_q[0], along_q[-1]), jnp.maximum(along_p[0], along_p[-1]))
    return jnp.where(peak == 0.0, 0.0, rim / jnp.where(peak == 0.0, 1.0, peak))


def wigner(V: HierarchyState, equation: Equation, temperature: Any, t: Any = 0.0) -> Float[Array, "p q"]:
    """W_0(q, p): the members with the noise folded back into the momentum.

    Equation   W_0 = exp(D d_p^2/2) sum_n prod_k (-jitter_k d_p)^n_k / sqrt(n_k!) V_n
    """
    oscillator, grid = equation.oscillator, equation.grid
    members, side = members_of(oscillator), grid.p_side
    if len(members) == 1:
        return V[:, 0]
    factor = noise_factors(equation, temperature, t)
    spectrum = jnp.tensordot(grid.p_to_y(), V, axes=1)
    re, im = complex_multiply(spectrum[1 : side + 1], spectrum[side + 1 :], *members.powers_of_i(-1.0))
    re, im = (jnp.sum(factor[:, :, None] * part, axis=1) for part in (re, im))
    return grid.y_to_p() @ jnp.concatenate([spectrum[:1, 0], re, im])


def noise_factors(equation: Equation, temperature: Any, t: Any = 0.0) -> Float[Array, "y n"]:
    """exp(-D y^2/2) prod_k (jitter_k y)^n_k / sqrt(n_k!), D = sum_k jitter_k^2, for y > 0 and every member."""
    oscillator, members = equation.oscillator, members_of(equation.oscillator)
    jitter = oscillator.bath.terms(t, jnp.asarray(temperature), oscillator.hbar).jitter
    y = equation.grid.y[1:]
    factor = jnp.exp(-0.5 * jnp.sum(jitter**2) * y**2)[:, None] * jnp.ones((1, len(members)))
    for k in range(oscillator.bath.modes):
        # Integer powers by multiplication, since pow has no derivative at jitter = 0.
        powers = [jnp.ones_like(y)]
        for n in range(int(members.level.max())):
            powers.append(powers[-1] * jitter[k] * y / np.sqrt(n + 1.0))
        factor = factor * jnp.stack(powers, axis=1)[:, members.indices[:, k]]
    return factor


def moments(low: Float[Array, "p low q"], equation: Equation, temperature: Any, t: Any = 0.0) -> Moments:
    """Moments of (q, p + zeta) from the `low_members`.

    <(p + zeta)^2> = <p^2> + sum jitter_k [<p>_{e_k} + <(p + zeta) b_k>], <(p + zeta) b_k> = <p>_{e_k} + sum_l jitter_l
    (delta_kl + sqrt(1 + delta_kl) int V_{e_k + e_l}). Members of the second level have a norm only where friction has
    memory.
    """
    return _combined(_projected(low, _momentum_weights(equation), equation), equation, temperature, t)


def moments_of_spectrum(low: Float[Array, "w low q"], equation: Equation, temperature: Any, t: Any = 0.0) -> Moments:
    """`moments` of real Fourier coefficients in y."""
    weights = jnp.matmul(_momentum_weights(equation), equation.grid.y_to_p(), precision="highest")
    return _combined(_projected(low, weights, equation), equation, temperature, t)


def _momentum_weights(equation: Equation) -> Float[Array, "3 p"]:
    p = equation.grid.p
    return jnp.stack([jnp.ones_like(p), p, p**2]) * equation.grid.cell


def _projected(
    low: Float[Array, "w low q"], weights: Float[Array, "3 w"], equation: Equation
) -> Float[Array, "3 low 5"]:
    """int p^i f(q) V_n for i = 0, 1, 2 and f = 1, q, q^2, U, X.

    As products of matrices, which cost little to compile, unlike sums.
    """
    oscillator, q = equation.oscillator, equation.grid.q
    functions = [jnp.ones_like(q), q, q**2, oscillator.potential(q), oscillator.coordinate(q)]
    over_q = jnp.matmul(low, jnp.stack(functions, axis=1), precision="highest")
    return jnp.tensordot(weights, over_q, axes=1, precision="highest")


def _combined(sums: Float[Array, "3 low 5"], equation: Equation, temperature: Any, t: Any) -> Moments:
    """The moments from those of p and of each member."""
    oscillator = equation.oscillator
    jitter = oscillator.bath.terms(t, jnp.asarray(temperature), oscillator.hbar).jitter
    modes = oscillator.bath.modes
    norm, q, q2, potential, X = sums[0, 0]
    first, at_place = sums[1, 1 : modes + 1, 0], sums[0, 1 : modes + 1, 1]
    with_noise = first
    if sums.shape[1] > modes + 1:
        rows, columns = np.triu_indices(modes)
        size = sums[0, modes + 1 :, 0] * jnp.asarray(np.where(rows == columns, np.sqrt(2.0), 1.0))
        pairs = jnp.zeros((modes, modes)).at[rows, columns].set(size).at[columns, rows].set(size)
        with_noise = with_noise + pairs @ jitter
    p2 = sums[2, 0, 0] + jnp.sum(jitter * (first + with_noise)) + jnp.sum(jitter**2) * norm
    return Moments(
        norm=norm,
        X=X,
        U=0.5 * p2 / oscillator.mass + potential,
        q=q,
        q2=q2,
        p2=p2,
        qp=sums[1, 0, 1] + jnp.sum(jitter * at_place),
        with_noise=with_noise,
        noise_at_place=at_place,
    )


def low_members(oscillator: Oscillator) -> np.ndarray:
    """Positions of all members that work and heat depend on: W_0, level 1, and level 2 where friction has memory."""
    above = members_of(oscillator).above
    low = [0, *above[:, 0]]
    if oscillator.bath.friction_has_memory:
        low += [above[j, above[k, 0]] for k, j in zip(*np.triu_indices(len(above)), strict=True)]
    return np.array(low)


def bath_heat(m: Moments, equation: Equation, t: Any, temperature: Any) -> Float[Array, ""]:
    """The part of dH_A/dt that the bath causes.

    Equation   [D - friction <p^2>/m - sum_k decay_k <p zeta_k>' - spring <q p>] / m, with D the diffusion coefficient
               and <p zeta_k>' less the variance of zeta_k; where friction has memory sum_k force_k <p b_k> / m
    """
    oscillator = equation.oscillator
    terms = oscillator.bath.terms(t, temperature, oscillator.hbar)
    if terms.memory is not None:
        return jnp.sum(terms.memory.force * (m.with_noise + terms.jitter * m.norm)) / oscillator.mass
    flow = terms.diffusion * m.norm - terms.friction * m.p2 / oscillator.mass - terms.spring * m.qp
    flow = flow - jnp.sum(terms.decay * terms.jitter * m.with_noise)
    return flow / oscillator.mass


def friction_heat(m: Moments, equation: Equation, duration: Any) -> Float[Array, ""]:
    """Energy that friction brings while p + zeta shrinks by exp(-gamma t/m) and nothing else happens."""
    oscillator = equation.oscillator
    return 0.5 * jnp.expm1(-2.0 * oscillator.bath.friction() / oscillator.mass * duration) * m.p2 / oscillator.mass


def local_heat(m: Moments, equation: Equation, duration: Any, temperature: Any) -> Float[Array, ""]:
    """Energy that diffusion and the decay of the members bring over a time, from the state at its beginning."""
    oscillator = equation.oscillator
    terms = oscillator.bath.terms(0.0, temperature, oscillator.hbar)
    decayed = jnp.sum(jnp.expm1(-terms.decay * duration) * terms.jitter * m.with_noise)
    return (terms.diffusion * duration * m.norm + decayed) / oscillator.mass


def _highest(waves: Float[Array, "waves points"]) -> Float[Array, ""]:
    """Largest real Fourier coefficient of the highest wave over the largest of all."""
    size = jnp.max(jnp.abs(waves), axis=1)
    return jnp.maximum(size[size.shape[0] // 2], size[-1]) / jnp.max(size)


def _last_level(V: HierarchyState, equation: Equation) -> Float[Array, "p last q"]:
    """The members of the last level; a zero where there is the first one only."""
    level = members_of(equation.oscillator).level
    return V[:, level == level.max()] if level.max() else jnp.zeros_like(V[:, :1])

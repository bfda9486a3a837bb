"""Where the localised states are born: the fold of their branch, by Newton on the extended system."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxthermo._results import warn_unless_ok
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.folds import (
    FIRST_STEP,
    LONGEST_STEP,
    Bifurcation,
    Fold,
    described,
    equations,
    extended,
    fold_between,
    is_same_fold,
    step_over_fold,
    unpack,
)
from jaxthermo.jumps.network import JumpNetwork
from jaxthermo.jumps.occupation import complete, localised
from jaxthermo.potts.ring import PottsRing, require_attraction, require_autonomous
from jaxthermo.solve.arclength import ArclengthState, advance_curve, start_curve
from jaxthermo.solve.attractor import MARGINAL
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.fixed_point import implicit_root, newton
from jaxthermo.solve.lean import brief_jit
from jaxthermo.solve.linear import is_stable

NONE, FOLD, PITCHFORK = (int(kind) for kind in Bifurcation)

# beta |u| where the branch starts: cold enough that P_1 is nearly 1, warm enough that exp(beta |u|) leaves digits.
COLD = 12.0
COLD_PER_STATE = 1.0
BRANCH_POINTS = 80
# Half a turn of the ring changes a state by less than this where the branch ends in a pitchfork.
SYMMETRIC = 1e-3


def fold_beta(ring: PottsRing) -> Float[Array, ""]:
    """Inverse temperature above which the localised states exist, at the ring's force; `ring` as for `fold`.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.potts.fold_beta(ring)), 4)
        6.1069
    """
    return fold(ring).beta


def fold(ring: PottsRing) -> Fold:
    """The birth of the localised states: the saddle-node of the branch that leads to P_1 -> 1 as beta -> infinity.

    Equation   F(P, beta) = 0, J v = 0, |v| = 1, with F = dP/dt and J = dF/dP. Where half a turn of the ring leaves P as
               it is and reverses v, the localised states leave that symmetric state in a pitchfork; q = 4 does so from
               f = 0.45 |u| on

    ring       a `jt.PottsRing` with q >= 3, coupling < 0 and a constant force
    Units      beta: 1/energy; residual: max |F|, |J v| relative to the rates of the uniform state
    Raises     ValueError for impossible parameters, q = 2 (whose localised states are born at beta_c1), a coupling that
               is known to be >= 0, or without double precision
    Source     extended system: Seydel, Numer. Math. 33, 339 (1979); Moore & Spence, SIAM J. Numer. Anal. 17, 567
               (1980); with a symmetry: Werner & Spence, SIAM J. Numer. Anal. 21, 388 (1984)

    For odd q, and where it lies above beta_c1, it is the infinite-period point beta_c2 of Herpich & Esposito 2019. The
    branch is followed down from a cold ring by pseudo-arclength; Newton's method on the extended system ends the
    search. Derivatives in the ring's parameters are those of the implicit function theorem (both modes). Kind "none",
    with NaN and `Status.not_converged`, where a cold ring has no state localised at P_1, as with bounded rates and
    f > |u|.
    """
    result = fold_of(ring)
    warn_unless_ok(result)
    return result


def fold_of(ring: PottsRing) -> Fold:
    """`fold` without a warning."""
    require_autonomous(ring, 1.0)
    require_double_for(1e-13, 1e-13)
    if ring.q == 2:
        raise ValueError(
            "`ring` must have q >= 3 for a fold, but has q = 2, whose localised states are born at beta_c1"
        )
    require_attraction(ring.coupling, "localised states to exist")
    return _fold(ring)


@brief_jit
def _fold(ring: PottsRing) -> Fold:
    n, network = ring.q - 1, ring.network
    fixed = stop_gradient(network)
    before, after = step_over_fold(*cold_state(stop_gradient(ring)), (fixed, None), -1.0)
    guess, null = fold_between(before, after)
    root, _, found, _ = newton(extended, jnp.concatenate([guess[:n], null, guess[n:]]), (fixed, None))
    found &= is_same_fold(root[:n], root[-1], guess) & after.alive
    state, vector, log_beta = unpack(implicit_root(extended, root, (network, None)))
    kind = jnp.where(found, FOLD, NONE)
    if ring.q % 2 == 0:
        symmetric_root, _, born, _ = newton(_half_turn, _fold_in_half(guess, null), fixed)
        at, along, at_log_beta = _unpack_half(implicit_root(_half_turn, symmetric_root, network))
        asymmetry = jnp.max(jnp.abs(state - jnp.roll(state, ring.q // 2)))
        born &= is_same_fold(at[:-1], at_log_beta, guess) & after.alive & ~(found & (asymmetry > SYMMETRIC))
        state, vector = jnp.where(born, at, state), jnp.where(born, along, vector)
        log_beta, kind = jnp.where(born, at_log_beta, log_beta), jnp.where(born, PITCHFORK, kind)
    return described(ring, None, state, vector, log_beta, kind)


def cold_state(ring: PottsRing) -> tuple[Float[Array, " q"], Bool[Array, ""]]:
    """A point of the localised branch at low temperature, as (P_1 .. P_{q-1}, ln beta), and whether it was found."""
    cold = COLD + COLD_PER_STATE * ring.q
    log_beta = jnp.log(cold / jnp.abs(ring.coupling))

    def at_beta(x: Array, network: JumpNetwork) -> Array:
        return equations(jnp.append(x, log_beta), (network, None))

    x, _, found, _ = newton(at_beta, localised(ring.q, float(np.exp(-0.5 * cold)))[:-1], ring.network)
    found &= (x[0] > 0.5) & jnp.all(complete(x) > 0)
    return jnp.append(x, log_beta), found


def is_cold_state_stable(
    ring: PottsRing, born: Float[Array, ""], betas: Float[Array, " betas"]
) -> Bool[Array, " betas"]:
    """Whether the localised states colder than their birth are stable, at each beta by the nearest point of the branch.

    Only the birth itself, where an eigenvalue vanishes, is exact; a further loss of stability is known to the spacing
    of the branch's points, `LONGEST_STEP` in ln(beta).
    """
    point, found = cold_state(ring)
    args = (ring.network, None)
    front = start_curve(equations, point, args, -1.0, FIRST_STEP)

    def advance(front: ArclengthState, _: None) -> tuple[ArclengthState, ArclengthState]:
        return advance_curve(equations, front, args, LONGEST_STEP), front

    _, fronts = jax.lax.scan(advance, front, length=BRANCH_POINTS)

    def decays(y: Array) -> Array:
        return is_stable(jax.jacfwd(equations)(y, args)[:, :-1], MARGINAL)

    turned = jnp.cumsum(fronts.tangent[:, -1] >= 0) > 0
    usable = fronts.alive & ~turned & (jnp.exp(fronts.point[:, -1]) > born)
    distance = jnp.abs(fronts.point[None, :, -1] - jnp.log(jnp.maximum(betas, 1e-300))[:, None])
    nearest = jnp.argmin(jnp.where(usable[None], distance, jnp.inf), axis=1)
    return found & (betas > born) & jax.vmap(decays)(fronts.point)[nearest]


def _half_turn(z: Float[Array, " q"], network: JumpNetwork) -> Float[Array, " q"]:
    """The extended system for P_{i+q/2} = P_i and v_{i+q/2} = -v_i, where the full one is singular.

    z = (P_1 .. P_{q/2-1}, v_1 .. v_{q/2}, ln beta).
    """
    half = network.q // 2
    state, vector, log_beta = _unpack_half(z)

    def at(x: Array) -> Array:
        return equations(jnp.append(x, log_beta), (network, None))

    value, slope = jax.jvp(at, (state[:-1],), (vector[:-1],))
    return jnp.concatenate([value[: half - 1], slope[:half], (jnp.dot(vector, vector) - 1.0)[None]])


def _unpack_half(z: Array) -> tuple[Array, Array, Array]:
    half = z.shape[0] // 2
    a, b = z[: half - 1], z[half - 1 : -1]
    state = jnp.append(a, 0.5 - jnp.sum(a))
    return jnp.tile(state, 2), jnp.concatenate([b, -b]), z[-1]


def _fold_in_half(guess: Array, null: Array) -> Array:
    """The symmetric part of a guess and the antisymmetric part of its direction, as unknowns of `_half_turn`."""
    state, vector = complete(guess[:-1]), jnp.append(null, -jnp.sum(null))
    half = state.shape[0] // 2
    a, b = 0.5 * (state[:half] + state[half:]), 0.5 * (vector[:half] - vector[half:])
    return jnp.concatenate([a[: half - 1], b / (jnp.sqrt(2.0) * jnp.linalg.norm(b)), guess[-1:]])

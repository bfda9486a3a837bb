"""Where a branch of fixed points turns back in temperature: Newton on the extended system, from a branch that turns."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Code, Status, status_if
from jaxthermo._types import ScalarLike
from jaxthermo.checks import require_double_for
from jaxthermo.jumps.arguments import as_network, require_constant
from jaxthermo.jumps.mean_field import Betas
from jaxthermo.jumps.network import AbstractJumpModel
from jaxthermo.jumps.occupation import complete, field, initial_occupation
from jaxthermo.solve.arclength import ArclengthState, advance_curve, start_curve
from jaxthermo.solve.derivatives import stop_gradient
from jaxthermo.solve.fixed_point import implicit_root, newton
from jaxthermo.solve.lean import brief_jit

# A model, and the inverse temperatures of its reservoirs relative to the parameter; None: one for all.
Args = tuple[AbstractJumpModel, Float[Array, " reservoirs"] | None]

FIRST_STEP, LONGEST_STEP = 0.05, 0.05
MAX_STEPS = 400
# The extended system must converge to this neighbourhood of the turn that the branch made.
NEARBY = 0.1


class Bifurcation(Code):
    """How fixed points are born."""

    none = 0
    fold = 1
    pitchfork = 2


class Fold(AbstractResult):
    """A fold in temperature; see `fold`. Everything is NaN where `status` is not ok.

    `bifurcation` holds members of `Bifurcation`, `kind` their words: a ring may have a pitchfork in a fold's place.
    """

    status: Int[Array, "*batch"]
    stats: dict[str, Array]
    network: AbstractJumpModel
    bifurcation: Int[Array, "*batch"] = quantity("1", "kind of bifurcation", codes=Bifurcation)
    beta: Float[Array, "*batch"] = quantity("1/energy", "inverse temperature of the fold; of reservoir 0", main=True)
    betas: Float[Array, "*batch reservoirs"] = quantity(
        "1/energy", "inverse temperature of each reservoir at the fold", ("reservoir",)
    )
    occupation: Float[Array, "*batch q"] = quantity("1", "occupation P_i at the fold", ("state",), main=True)
    null_vector: Float[Array, "*batch q"] = quantity("1", "direction of the branch there", ("state",))
    residual: Float[Array, "*batch"] = quantity("1", "largest |F|, |J v|, relative to the rates at no energy change")

    @property
    def kind(self) -> str | np.ndarray:
        """ "fold", "pitchfork" or "none"; for a batch an array of these words."""
        return Bifurcation.spelled(self.bifurcation)


def fold_beta(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    upward: bool = False,
) -> Float[Array, ""]:
    """Inverse temperature, of reservoir 0, at which a branch of fixed points turns; arguments as `fold`."""
    return fold(network, beta, p0, upward=upward).beta


def fold(
    network: AbstractJumpModel,
    beta: Betas,
    p0: ArrayLike | Sequence[ScalarLike] | None = None,
    *,
    upward: bool = False,
) -> Fold:
    """The fold at which the branch through a given fixed point turns back in temperature.

    Equation   F(P, beta) = 0, J v = 0, |v| = 1, with F = dP/dt and J = dF/dP

    network    a `jt.JumpNetwork` or a `jt.PottsRing` with constant forces
    beta       where the branch starts, a number or (R,) numbers, one for each reservoir, which keep their ratios
    p0         a guess for the fixed point there, (q,); None for P_1 = 1 - small
    upward     whether to look at lower temperatures than the start's, and not at higher ones
    Units      beta: 1/energy
    Raises     ValueError for impossible parameters, beta = 0, or without double precision
    Source     extended system: Seydel, Numer. Math. 33, 339 (1979); Moore & Spence, SIAM J. Numer. Anal. 17, 567 (1980)

    The branch is followed by pseudo-arclength in ln beta; Newton's method on the extended system ends the search.
    Derivatives in the network's numbers and in the ratios of `beta` are those of the implicit function theorem (both
    modes).
    `Status.not_converged` where there is no fixed point near p0, or its branch does not turn.

    Example
        >>> import jaxthermo as jt
        >>> ring = jt.PottsRing(3, coupling=-1.0, force=1.0, prefactor=0.1)
        >>> round(float(jt.jumps.fold(ring, 8.0).beta), 4)
        6.1069
    """
    model = network
    network, betas = require_constant(model, beta)
    require_double_for(1e-13, 1e-13)
    result = _fold(model, betas, initial_occupation(network.q, p0), 1.0 if upward else -1.0)
    warn_unless_ok(result)
    return result


@brief_jit
def _fold(model: AbstractJumpModel, betas: Array, start: Array, direction: float) -> Fold:
    network = model.network
    ratios = None if betas.ndim == 0 else betas / betas[0]
    log_beta = jnp.log(stop_gradient(jnp.ravel(betas)[0]))
    fixed = stop_gradient((network, ratios))
    x, _, known, _ = newton(lambda x, args: equations(jnp.append(x, log_beta), args), start[:-1], fixed)
    before, after = step_over_fold(jnp.append(x, log_beta), known, fixed, direction)
    guess, null = fold_between(before, after)
    n = network.q - 1
    root, _, found, _ = newton(extended, jnp.concatenate([guess[:n], null, guess[n:]]), fixed)
    found &= is_same_fold(root[:n], root[-1], guess) & after.alive
    unknowns = unpack(implicit_root(extended, root, (network, ratios)))
    return described(model, ratios, *unknowns, jnp.where(found, int(Bifurcation.fold), int(Bifurcation.none)))


def described(
    model: AbstractJumpModel,
    ratios: Float[Array, " reservoirs"] | None,
    state: Float[Array, " q"],
    vector: Float[Array, " q"],
    log_beta: Float[Array, ""],
    bifurcation: Int[Array, ""],
) -> Fold:
    """The result from the unknowns of `extended`, with NaN where there is no bifurcation."""
    network, known = model.network, bifurcation != int(Bifurcation.none)
    unknowns = jnp.concatenate([state[:-1], vector[:-1], log_beta[None]])
    residual = jnp.max(jnp.abs(extended(unknowns, (network, ratios))[:-1]))
    every = jnp.ones(network.reservoir_count) if ratios is None else ratios
    missing = jnp.full((), jnp.nan, state.dtype)
    return Fold(
        status=status_if(~known, Status.not_converged),
        stats={},
        network=model,
        bifurcation=bifurcation,
        beta=jnp.where(known, jnp.exp(log_beta), missing),
        betas=jnp.where(known, jnp.exp(log_beta) * every, missing),
        occupation=jnp.where(known, state, missing),
        null_vector=jnp.where(known, vector, missing),
        residual=jnp.where(known, residual, missing),
    )


def equations(y: Float[Array, " q"], args: Args) -> Float[Array, " n"]:
    """The mean field at y = (P_1 .. P_{q-1}, ln beta), in units of the rates of hops that change no energy."""
    model, ratios = args
    beta = jnp.exp(y[-1])
    betas = beta if ratios is None else beta * ratios
    return scaled_field(y[:-1], model, betas)


def scaled_field(x: Float[Array, " n"], model: AbstractJumpModel, betas: Float[Array, "*betas"]) -> Float[Array, " n"]:
    """The mean field in units of the rates, forward and back, of hops that change no energy."""
    network = as_network(model)
    edge_betas = network.betas_at(betas, 0.0)
    nothing = jnp.zeros_like(edge_betas)
    forward, backward = network.rates(nothing, network.forces_at(0.0), edge_betas, network.prefactor_at(0.0))
    unit = forward + backward
    return field(x, (network, betas)) / (unit if unit.ndim == 0 else jnp.mean(unit))


def step_over_fold(
    point: Float[Array, " q"], found: Bool[Array, ""], args: Args, direction: float
) -> tuple[ArclengthState, ArclengthState]:
    """The last front before the branch through a point turns, followed in one direction of ln beta, and the next."""
    front = start_curve(equations, point, args, direction, FIRST_STEP)
    front = eqx.tree_at(lambda f: f.alive, front, front.alive & found)

    def cond(carry: tuple[ArclengthState, ArclengthState, Array]) -> Array:
        _, front, count = carry
        return front.alive & (direction * front.tangent[-1] > 0) & (count < MAX_STEPS)

    def body(carry: tuple[ArclengthState, ArclengthState, Array]) -> tuple[ArclengthState, ArclengthState, Array]:
        _, front, count = carry
        return front, advance_curve(equations, front, args, LONGEST_STEP), count + 1

    before, after, _ = jax.lax.while_loop(cond, body, (front, front, jnp.zeros((), jnp.int32)))
    return before, eqx.tree_at(lambda f: f.alive, after, after.alive & (direction * after.tangent[-1] <= 0))


def fold_between(before: ArclengthState, after: ArclengthState) -> tuple[Array, Array]:
    """Where the tangent's last component vanishes, by linear interpolation, and the unit direction of the branch."""
    share = before.tangent[-1] / (before.tangent[-1] - after.tangent[-1])
    point = before.point + share * (after.point - before.point)
    direction = (before.tangent + share * (after.tangent - before.tangent))[:-1]
    return point, direction / jnp.linalg.norm(direction)


def is_same_fold(x: Array, log_beta: Array, guess: Array) -> Bool[Array, ""]:
    """Whether a fold is the one that the branch has shown."""
    return jnp.max(jnp.abs(jnp.append(x, log_beta) - guess)) < NEARBY


def extended(z: Float[Array, " m"], args: Args) -> Float[Array, " m"]:
    """F = 0, J v = 0, |v| = 1 for z = (x, v, ln beta)."""
    n = z.shape[0] // 2
    x, v, log_beta = z[:n], z[n : 2 * n], z[2 * n :]
    value, slope = jax.jvp(lambda x: equations(jnp.concatenate([x, log_beta]), args), (x,), (v,))
    return jnp.concatenate([value, slope, (jnp.dot(v, v) - 1.0)[None]])


def unpack(z: Float[Array, " m"]) -> tuple[Float[Array, " q"], Float[Array, " q"], Float[Array, ""]]:
    """Occupations, null vector and ln beta from the unknowns of `extended`."""
    n = z.shape[0] // 2
    v = z[n : 2 * n]
    return complete(z[:n]), jnp.append(v, -jnp.sum(v)), z[-1]

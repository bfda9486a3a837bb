"""Starts without correlations with the bath: coherent, squeezed, number and cat states, or any W(q, p)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxthermo._results import warn_unless_ok
from jaxthermo._types import IntLike, ScalarLike, VectorLike
from jaxthermo.brownian.accuracy.automatic import resolved, until_held
from jaxthermo.brownian.accuracy.promise import PROMISED, Growth, growth_of_state, levels_to, tail_of
from jaxthermo.brownian.bath import require_white
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import equation_on
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator, check_place
from jaxthermo.brownian.states.canonical import canonical_wigner, factorised
from jaxthermo.brownian.states.density_matrix import checked_basis, checked_density_matrix, wigner_of
from jaxthermo.brownian.states.wigner_functions import Cat, NumberState, Squeezed, WignerFunction
from jaxthermo.checks import (
    as_float,
    is_known,
    require_finite,
    require_integer,
    require_positive_scalar,
    require_scalar,
)
from jaxthermo.solve.lean import brief_jit

if TYPE_CHECKING:
    from typing import Self

    from jaxthermo.brownian.states.state import State

# How often a grid and a depth that were left open are chosen; by how many levels a hierarchy grows at most at a time.
ATTEMPTS, MOST_LEVELS = 12, 4


class AbstractStarts(eqx.Module):
    """Constructors of `jt.State` for oscillator and bath that are not yet correlated.

    Equation   V_n = prod_k (jitter_k d_p)^n_k / sqrt(n_k!) exp(D d_p^2/2) W, D = sum_k jitter_k^2: the members for
               which every W_n but W_0 = W is empty
    Accuracy   moments up to second order are exact at any depth, and `wigner` and `purity` are those of W. What follows
               needs a hierarchy that holds jitter_k y at the wavenumbers y of W: strong coupling and fine interference
               ask for a deep one, which the status judges where forces are not linear
    Source     Tanimura, J. Phys. Soc. Jpn. 75, 082001 (2006), on factorised starts
    """

    @classmethod
    def coherent(
        cls,
        oscillator: Oscillator,
        q: ScalarLike,
        p: ScalarLike,
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
        frequency: ScalarLike | None = None,
    ) -> "Self":
        """A coherent state at (q, p): a Gaussian with <dq^2> = hbar/(2 m w), <dp^2> = hbar m w/2.

        oscillator   with an `OhmicBath`, or `SwitchedBaths`, whose windows are taken at t = 0; a grid or a depth left
                     open is chosen, so that it holds the state
        q, p         its centre, length and momentum; scalars
        beta, x      inverse temperature of the bath, 1/energy, and field; scalars
        frequency    w, 1/time; None: that of small oscillations at q, sqrt((U'' - x X'')/m)
        Returns      a `State` with `stats["factorised"]` = 1, for `jt.drive`
        Raises       ValueError that names the argument; if U - xX is not convex at q and no frequency is given
        """
        return cls.squeezed(oscillator, q, p, 0.0, 0.0, beta=beta, x=x, frequency=frequency)

    @classmethod
    def squeezed(
        cls,
        oscillator: Oscillator,
        q: ScalarLike,
        p: ScalarLike,
        squeezing: ScalarLike,
        angle: ScalarLike = 0.0,
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
        frequency: ScalarLike | None = None,
    ) -> "Self":
        """A squeezed state at (q, p): narrower by exp(-r) along one direction, wider by exp(r) across it.

        squeezing    r; a scalar
        angle        of the narrow direction in the plane of q sqrt(m w), p/sqrt(m w); 0: q is narrow
        oscillator, q, p, beta, x, frequency
                     as `State.coherent`, and so Returns and Raises
        """
        r, turned = _number("squeezing", squeezing), _number("angle", angle)
        center, scale = _placed(oscillator, q, p, x, frequency)
        return cls.from_wigner(oscillator, Squeezed(center, r, turned, scale, oscillator.hbar), beta=beta, x=x)

    @classmethod
    def fock(
        cls,
        oscillator: Oscillator,
        quanta: IntLike,
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
        frequency: ScalarLike | None = None,
    ) -> "Self":
        """A number state about q = 0.

        Equation     W = (-1)^n exp(-s/2) L_n(s)/(pi hbar), s = 2 [q^2 m w + p^2/(m w)]/hbar

        quanta       n, 0..40
        oscillator, beta, x, frequency
                     as `State.coherent`, and so Returns and Raises
        """
        n = require_integer("quanta", quanta, 0)
        if n > 40:
            raise ValueError(f"`quanta` must be <= 40, but is {n}")
        _, scale = _placed(oscillator, 0.0, 0.0, x, frequency)
        return cls.from_wigner(oscillator, NumberState(n, scale, oscillator.hbar), beta=beta, x=x)

    @classmethod
    def cat(
        cls,
        oscillator: Oscillator,
        q: ScalarLike,
        p: ScalarLike,
        phase: ScalarLike = 0.0,
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
        frequency: ScalarLike | None = None,
    ) -> "Self":
        """The superposition of coherent states at (q, p) and (-q, -p), the second one times exp(i phase).

        phase        0: the even cat state; pi: the odd one
        oscillator, q, p, beta, x, frequency
                     as `State.coherent`, and so Returns and Raises; the frequency is that at q = 0
        """
        angle = _number("phase", phase)
        _, scale = _placed(oscillator, 0.0, 0.0, x, frequency)
        center = _number("q", q), _number("p", p)
        return cls.from_wigner(oscillator, Cat(center, angle, scale, oscillator.hbar), beta=beta, x=x)

    @classmethod
    def canonical(cls, oscillator: Oscillator, *, beta: ScalarLike, x: ScalarLike = 0.0) -> "Self":
        """The canonical state exp(-beta H_A)/Z of the oscillator alone; arguments as `State.coherent`.

        Accuracy   means to 1e-7 for beta hbar w up to about 20, w the frequency in the well; the error grows as its
                   sixth power
        """
        beta, x = _checked(oscillator, beta, x)

        def values(chosen: Oscillator) -> Array:
            return canonical_wigner(equation_on(chosen), 1.0 / beta, x)

        return cls._on_a_grid_that_holds_it(oscillator, values, beta, x)

    @classmethod
    def from_wigner(
        cls,
        oscillator: Oscillator,
        wigner: Float[Array, "q p"] | Float[np.ndarray, "q p"] | WignerFunction,
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
    ) -> "Self":
        """Any Wigner function, classically any density.

        wigner       1/action: values on the oscillator's grid, (q_points, p_points), or a function of arrays q and p
        oscillator, beta, x
                     as `State.coherent`, and so Returns; values need an oscillator with a grid
        Raises       ValueError that names the argument; for values, if the oscillator has no grid or another one
        """
        beta, x = _checked(oscillator, beta, x)
        if callable(wigner):
            return cls._on_a_grid_that_holds_it(oscillator, lambda chosen: _sampled(wigner, chosen), beta, x)
        grid = oscillator.grid
        if grid is None or np.shape(wigner) != (grid.q_points, grid.p_points):
            raise ValueError(f"`wigner` must hold values on the oscillator's grid, but has shape {np.shape(wigner)}")
        values = as_float(wigner).T
        return cls._on_a_grid_that_holds_it(oscillator, lambda chosen: values, beta, x)

    @classmethod
    def from_density_matrix(
        cls,
        oscillator: Oscillator,
        rho: VectorLike | Complex[Array, "n n"],
        basis: str = "number",
        *,
        beta: ScalarLike,
        x: ScalarLike = 0.0,
        frequency: ScalarLike | None = None,
    ) -> "Self":
        """Any density matrix among the lowest number or energy states.

        rho          <m|rho|n>, (n, n), real or complex: Hermitian, of trace 1, without negative eigenvalues
        basis        "number": number states about q = 0; "energy": eigenstates of H_A = p^2/2m + U - xX
        frequency    of the number states, as `State.coherent`; None for energy states
        oscillator, beta, x
                     as `State.coherent`, and so Returns; the numbers must be known
        Raises       ValueError that names the argument
        """
        beta, x = _checked(oscillator, beta, x)
        matrix, basis = checked_density_matrix(rho), checked_basis(basis, frequency)
        if not oscillator.quantum:
            raise ValueError("`oscillator` must be a quantum one")
        w = None
        if basis == "number":
            _, scale = _placed(oscillator, 0.0, 0.0, x, frequency)
            w = float(scale) ** 2 / float(oscillator.mass)
        return cls._on_a_grid_that_holds_it(
            oscillator, lambda chosen: as_float(wigner_of(matrix, chosen, basis, float(x), w)), beta, x
        )

    @classmethod
    def _on_a_grid_that_holds_it(
        cls, oscillator: Oscillator, values: Callable[[Oscillator], Array], beta: Array, x: Array
    ) -> "Self":
        """The state of a Wigner function whose values, (p, q), are known on any grid; one left open grows."""
        state = until_held(
            lambda chosen, _: _started(chosen, values(chosen), beta, x),
            resolved(oscillator, beta, x),
            oscillator,
            _growth,
            ATTEMPTS,
        )
        warn_unless_ok(state)
        return state  # type: ignore[return-value]


def _growth(state: "State") -> Growth:
    """What a start asks for: as many levels as are missing if each goes on to be smaller by the same factor."""
    tail, depth = float(state.tail), state.oscillator.bath.depth or 1
    missing = levels_to(tail_of(PROMISED, depth) / tail, tail, depth) if tail > 0.0 else np.inf
    return growth_of_state(state)._replace(levels=int(np.clip(np.ceil(missing), 1, MOST_LEVELS)))


def _checked(oscillator: Oscillator, beta: ScalarLike, x: ScalarLike) -> tuple[Array, Array]:
    beta, x = check_place(oscillator, beta, x)
    require_white(oscillator)
    return beta, x


def _number(name: str, value: ScalarLike) -> Float[Array, ""]:
    number = require_scalar(name, value)
    require_finite(name, number)
    return number


def _placed(
    oscillator: Oscillator, q: ScalarLike, p: ScalarLike, x: ScalarLike, frequency: ScalarLike | None
) -> tuple[tuple[Array, Array], Float[Array, ""]]:
    """The centre, and sqrt(m w)."""
    check_oscillator(oscillator)
    center, field = (_number("q", q), _number("p", p)), _number("x", x)
    if frequency is not None:
        w = require_positive_scalar("frequency", frequency)
        return center, jnp.sqrt(oscillator.mass * w)

    curvature = _curvature(oscillator, center[0], field)
    if is_known(curvature) and not float(curvature) > 0.0:
        raise ValueError(f"`frequency` must be given where U'' - x X'' is not > 0, but it is {float(curvature):.3g}")
    return center, jnp.sqrt(jnp.sqrt(oscillator.mass * curvature))


@brief_jit
def _curvature(oscillator: Oscillator, q: Float[Array, ""], x: Float[Array, ""]) -> Float[Array, ""]:
    """U'' - x X'' at q."""
    return jax.grad(jax.grad(oscillator.height))(q, x)


def _sampled(wigner: WignerFunction, oscillator: Oscillator) -> Float[Array, "p q"]:
    # A function of the user's may be another one at each call, and would be compiled each time.
    return (_sampled_at_once if isinstance(wigner, eqx.Module) else _values)(wigner, oscillator)


def _values(wigner: WignerFunction, oscillator: Oscillator) -> Float[Array, "p q"]:
    grid: PhaseGrid | None = oscillator.grid
    assert grid is not None
    p, q = jnp.meshgrid(grid.p, grid.q, indexing="ij")
    return as_float(wigner(q, p))


_sampled_at_once = brief_jit(_values)


@brief_jit
def _started(oscillator: Oscillator, W: Float[Array, "p q"], beta: Float[Array, ""], x: Float[Array, ""]) -> "State":
    from jaxthermo.brownian.states.state import measured_state

    equation, unknown = equation_on(oscillator), jnp.asarray(jnp.nan)
    state = measured_state(oscillator, factorised(W, equation, 1.0 / beta), beta, x, unknown, unknown, exact=True)
    # W itself: folding the noise of few members back would not give all of it again.
    purity = 2.0 * np.pi * oscillator.hbar * jnp.vdot(W, W, precision="highest") * equation.grid.cell
    stats = {**state.stats, "factorised": np.int32(1)}
    return eqx.tree_at(lambda s: (s.wigner, s.purity, s.min_wigner, s.stats), state, (W.T, purity, jnp.min(W), stats))

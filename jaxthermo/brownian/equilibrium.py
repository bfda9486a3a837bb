"""The correlated stationary state of the oscillator and its bath at one temperature and field."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxthermo.brownian.automatic import resolved
from jaxthermo.brownian.grid import PhaseGrid
from jaxthermo.brownian.hierarchy import Field, Workspace, vector_field, workspace
from jaxthermo.brownian.observables import Observables, observe, wigner
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.brownian.stationary import TOLERANCE, stationary_members
from jaxthermo.checks import require_double_for, require_finite, require_positive, require_scalar

# Largest |dW_0/dt| of a state that may be called stationary.
CONVERGED = 1e-6


class State(eqx.Module):
    """A state of the hierarchy on a grid, with what is measured on it; made by `equilibrium`, taken by `drive`.

    `residual` is max |dW_0/dt| of an equilibrium state. The axes of `V` are momentum, member, position.
    """

    V: Field
    work: Workspace
    beta: Float[Array, ""]
    x: Float[Array, ""]
    measured: Observables
    residual: Float[Array, ""]

    @property
    def grid(self) -> Any:
        """The phase grid of the state."""
        return self.work.grid

    @property
    def wigner(self) -> Float[Array, "q p"]:
        """The Wigner function (classically the phase-space density) W_0(q, p) of one state."""
        return wigner(self.V, self.work, 1.0 / self.beta).T

    @property
    def status(self) -> Any:
        """ "ok", or "not converged" where the residual says that the search failed; for a batch an array of words."""
        words = np.where(np.asarray(self.residual) < CONVERGED, "ok", "not converged")
        return str(words) if words.ndim == 0 else words

    @property
    def norm(self) -> Float[Array, "*batch"]:
        """int W_0 dq dp."""
        return self.measured.norm

    @property
    def X(self) -> Float[Array, "*batch"]:
        """<X(q)>."""
        return self.measured.X

    @property
    def U(self) -> Float[Array, "*batch"]:
        """<p^2>/2m + <U(q)>."""
        return self.measured.U

    @property
    def q2(self) -> Float[Array, "*batch"]:
        """<q^2>."""
        return self.measured.q2

    @property
    def p2(self) -> Float[Array, "*batch"]:
        """<p^2>; for a strictly Ohmic quantum bath it grows like the logarithm of the number of poles."""
        return self.measured.p2

    @property
    def edge(self) -> Float[Array, "*batch"]:
        """Largest value on the rim of the grid over the largest in it."""
        return self.measured.edge

    @property
    def tail(self) -> Float[Array, "*batch"]:
        """Largest member of the last level of the hierarchy over the largest of the first."""
        return self.measured.tail


def equilibrium(oscillator: Any, beta: Any, x: Any) -> State:
    """The stationary state of the hierarchy at constant beta and x, with its correlations with the bath.

    Equation   L V = 0, int W_0 dq dp = 1, solved by generalised conjugate residuals on M L V with M a short relaxation,
               so that the answer is the null vector of the spectral generator itself, without a time step's error
    Shapes     beta, x: scalars (batch with jax.vmap and a given grid; lanes are solved one after another)
    Units      beta: 1/energy, x: energy per unit of X
    Raises     ValueError that names the argument; if the oscillator has no grid and jax traces beta or x; without
               double precision
    Source     Koyanagi & Tanimura 2024, Sec. III

    Differentiable in beta, x and the parameters of the oscillator, in both modes (the linear solve is differentiated,
    not its iterations; baths other than `OhmicBath`: forward mode). `residual` is max |dW_0/dt|, and `status` says
    whether it is small. Windows of
    `SwitchedBaths` are taken at t = 0.
    """
    check_oscillator(oscillator)
    require_double_for(TOLERANCE, TOLERANCE)
    beta, x = require_scalar("beta", beta), require_scalar("x", x)
    require_positive("beta", beta)
    require_finite("x", x)
    oscillator = resolved(oscillator, beta, x)
    return _solve(oscillator, beta, x, oscillator.grid)


@eqx.filter_jit
def _solve(oscillator: Oscillator, beta: Array, x: Array, grid: PhaseGrid) -> State:
    work = workspace(oscillator, grid)
    V = stationary_members(work, 1.0 / beta, x)
    residual = jnp.max(jnp.abs(vector_field(V, work, 0.0, 1.0 / beta, x)[:, 0]))
    return State(V, work, beta, x, observe(V, work, 1.0 / beta), residual)

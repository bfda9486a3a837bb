"""The driven hierarchy as a diffrax term, and the split step that beats its stiffness as a diffrax solver."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxthermo.brownian.hierarchy import Field, Workspace, vector_field
from jaxthermo.brownian.observables import (
    Moments,
    bath_heat,
    friction_heat,
    local_heat,
    low_members,
    moments,
)
from jaxthermo.brownian.spectrum import Noise, Spectrum, from_spectrum, to_spectrum
from jaxthermo.brownian.split import heating_flow, local_flow, noise_of, transport_flow
from jaxthermo.protocols.schedule import rate_at, value_at

# Richardson extrapolation over one and two substeps: removes the h^2 term of a symmetric composition.
COARSE, FINE = -1.0 / 3.0, 4.0 / 3.0


class Driven(eqx.Module):
    """State of a driven solve: the members, and the running integrals from which work and heat follow."""

    V: Field
    totals: Float[Array, "4"]  # int X dx, int U dbeta, int X d(beta x), int (heat from the bath) dt


def start(V: Field) -> Driven:
    """A state with empty integrals."""
    return Driven(V, jnp.zeros(4))


class DrivenTerm(diffrax.AbstractTerm):
    """The vector field of `Driven` under schedules beta(t) and x(t), for explicit solvers and for `SplitStep`."""

    work: Workspace
    beta: Any
    x: Any

    def vf(self, t: Any, y: Driven, args: Any) -> Driven:
        beta, d_beta = rate_at(self.beta, t)
        x, d_x = rate_at(self.x, t)
        temperature = 1.0 / beta
        now = moments(y.V[:, low_members(self.work.oscillator)], self.work, temperature, t)
        heat = bath_heat(now, self.work, t, temperature)
        totals = [now.X * d_x, now.U * d_beta, now.X * (beta * d_x + x * d_beta), heat]
        return Driven(vector_field(y.V, self.work, t, temperature, x, -d_beta / beta), jnp.stack(totals))

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        return t1 - t0

    def prod(self, vf: Driven, control: Any) -> Driven:
        return jax.tree.map(lambda v: control * v, vf)


class SplitStep(diffrax.AbstractSolver):
    """Strang splitting of the hierarchical Wigner equation in exact flows, extrapolated to order 4.

    Equation   S(h) = B(h/2) A(h) B(h/2) with the flows of `local_flow` (B) and `transport_flow` (A);
               y(t + h) = [4 S(h/2) S(h/2) - S(h)] y(t) / 3, error estimate [S(h/2) S(h/2) - S(h)] y(t) / 3
    Source     Strang 1968; the flows are those of this equation

    Each S is stable at every step and second order; temperature and field are frozen at the middle of each B. The
    integrals in the state take part in the splitting, with the increments of the schedules, so a schedule may have
    corners or jumps at the ends of steps. The extrapolation is no contraction for undamped waves, so at weak coupling
    steps should be left to the error control; `extrapolate=False` keeps the bare second-order step.
    """

    extrapolate: bool = eqx.field(static=True, default=True)

    term_structure: ClassVar = DrivenTerm
    interpolation_cls: ClassVar[Callable[..., Any]] = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        return 4 if self.extrapolate else 2

    def error_order(self, terms: Any) -> float:
        # The estimate is that of the second-order result, also where the fourth-order one goes on.
        return 3.0

    def init(self, terms: Any, t0: Any, t1: Any, y0: Driven, args: Any) -> Noise | None:
        return noise_of(_bare(terms).work)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Driven, args: Any, solver_state: Noise | None, made_jump: Any
    ) -> Any:
        terms = _bare(terms)
        begin = Driven(to_spectrum(y0.V, terms.work), y0.totals)
        middle = 0.5 * (t0 + t1)
        coarse = strang(terms, solver_state, begin, t0, t1)
        fine = strang(terms, solver_state, strang(terms, solver_state, begin, t0, middle), middle, t1)
        error = jax.tree.map(lambda a, b: (a - b) / 3.0, fine, coarse)
        end = jax.tree.map(lambda a, b: FINE * a + COARSE * b, fine, coarse) if self.extrapolate else fine
        y1, y_error = (Driven(from_spectrum(y.V, terms.work), y.totals) for y in (end, error))
        return y1, y_error, {"y0": y0, "y1": y1}, solver_state, diffrax.RESULTS.successful

    def func(self, terms: Any, t0: Any, y0: Driven, args: Any) -> Driven:
        return terms.vf(t0, y0, args)


def _bare(terms: Any) -> DrivenTerm:
    """The term without diffrax's wrapper for the direction of time, which is forward here."""
    return terms if isinstance(terms, DrivenTerm) else terms.term


def strang(terms: DrivenTerm, noise: Noise | None, y: Driven, t0: Any, t1: Any) -> Driven:
    """One symmetric step on Fourier coefficients in y.

    The integrals grow by what each flow does exactly: the schedules move while the state rests, and the bath's energy
    comes and goes in B by diffusion and decay, in A by friction; that of a `DrudeBath` is taken by
    the trapezoidal rule.
    """
    work, half = terms.work, 0.5 * (t1 - t0)
    beta0, beta_middle, beta1 = (value_at(terms.beta, t) for t in (t0, t0 + half, t1))
    T0, T_middle, T1 = 1.0 / beta0, 1.0 / beta_middle, 1.0 / beta1
    first, last = jnp.log(beta0 / beta_middle) / half, jnp.log(beta_middle / beta1) / half
    early, late = (_frozen(terms, t) for t in (t0 + 0.5 * half, t1 - 0.5 * half))

    warmed = heating_flow(y.V, work, noise, T0, T_middle)
    still = local_flow(warmed, work, half, *early, first)
    moved = transport_flow(still, work, noise, t1 - t0, T_middle)
    settled = local_flow(moved, work, half, *late, last)
    V = heating_flow(settled, work, noise, T_middle, T1)

    before, after = _moments_of(y.V, work, T0, t0), _moments_of(V, work, T1, t1)
    if noise is None:
        bath = half * (bath_heat(before, work, t0, T0) + bath_heat(after, work, t1, T1))
    else:
        bath = friction_heat(_moments_of(still, work, T_middle, t0 + half), work, t1 - t0)
        # The second half is the mirror of the first, so its decay is counted backwards from where it ends.
        bath = bath + local_heat(before, work, half, early[0]) - local_heat(after, work, -half, late[0])
    driven = _schedule_totals(terms, before, t0, t0 + half) + _schedule_totals(terms, after, t0 + half, t1)
    return Driven(V, y.totals + jnp.concatenate([driven, bath[None]]))


def _frozen(terms: DrivenTerm, t: Any) -> tuple[Array, Array]:
    return 1.0 / value_at(terms.beta, t), value_at(terms.x, t)


def _moments_of(spectrum: Spectrum, work: Workspace, temperature: Any, t: Any) -> Moments:
    return moments(from_spectrum(spectrum[:, low_members(work.oscillator)], work), work, temperature, t)


def _schedule_totals(terms: DrivenTerm, now: Moments, t0: Any, t1: Any) -> Float[Array, "3"]:
    """int X dx, int U dbeta, int X d(beta x) over t0..t1 with the state held fixed."""
    beta0, beta1 = value_at(terms.beta, t0), value_at(terms.beta, t1)
    x0, x1 = value_at(terms.x, t0), value_at(terms.x, t1)
    return jnp.stack([now.X * (x1 - x0), now.U * (beta1 - beta0), now.X * (beta1 * x1 - beta0 * x0)])

"""Spectra of the oscillator in its stationary state, by one linear solve at each frequency."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import ScalarLike, Stats, VectorLike
from jaxthermo.brownian.equilibria.equilibria import state_at
from jaxthermo.brownian.oscillator import Oscillator, check_place
from jaxthermo.brownian.response.disturbance import Disturbed
from jaxthermo.brownian.response.linear import LinearMotion, are_linear, functions_of_frequency, linear_motion
from jaxthermo.brownian.response.meshes import resolved_enough, with_room
from jaxthermo.brownian.response.resolvent import resolvent
from jaxthermo.brownian.response.weyl import ObservableLike, Pair, pair_of
from jaxthermo.brownian.states.state import State
from jaxthermo.checks import as_float, is_known, require_double_for, require_finite
from jaxthermo.solve.lean import lean_jit

# Error of a linear solve over the size of its solution, for numbers that are right to 1e-6 of the largest.
SOLVED = 2e-7


class Spectrum(AbstractResult):
    """Spectra of A and B in the stationary state; made by `jt.spectrum` or by `spectrum` of a `Correlation`."""

    status: Int[Array, "*batch"]
    stats: Stats
    oscillator: Oscillator
    observables: Pair
    frequency: Float[Array, "*batch frequencies"] = quantity(
        "1/time", "angular frequency w", ("frequency",), coordinate=True
    )
    symmetrised: Float[Array, "*batch frequencies"] = quantity(
        "A B time",
        "int exp(i w t) C(t) dt over all t; over i where one of A and B is odd in p",
        ("frequency",),
        main=True,
    )
    response_real: Float[Array, "*batch frequencies"] = quantity(
        "A B/energy", "real part of the susceptibility", ("frequency",), main=True
    )
    response_imag: Float[Array, "*batch frequencies"] = quantity(
        "A B/energy", "imaginary part of the susceptibility", ("frequency",), main=True
    )
    imbalance: Float[Array, "*batch frequencies"] = quantity(
        "A B/energy", "(1/hbar) tanh(beta hbar w/2) times the spectrum less the dissipation", ("frequency",)
    )
    beta: Float[Array, "*batch"] = quantity("1/energy", "inverse temperature of the bath")
    x: Float[Array, "*batch"] = quantity("energy/X", "field x")
    error: Float[Array, "*batch"] = quantity(
        "1", "largest bound on what a solve or a transform has left, over its size"
    )
    edge: Float[Array, "*batch"] = quantity("1", "largest disturbance on the rim of the grid over its size")
    coarse: Float[Array, "*batch"] = quantity("1", "largest coefficient of the highest waves over the largest of all")
    tail: Float[Array, "*batch"] = quantity("1", "largest member of the last level over the disturbance's size")

    @property
    def response(self) -> Complex[Array, "*batch frequencies"]:
        """The susceptibility chi(w) = int_0^inf exp(i w t) chi(t) dt."""
        return jax.lax.complex(self.response_real, self.response_imag)


def spectrum(
    oscillator: Oscillator,
    beta: ScalarLike,
    x: ScalarLike,
    frequencies: VectorLike,
    observables: Sequence[ObservableLike] = ("q", "q"),
    *,
    progress: bool | None = None,
) -> Spectrum:
    """Power spectrum and susceptibility in the stationary state, without a time step.

    Equation   S(w) = int exp(i w t) C(t) dt over all t, chi(w) = int_0^inf exp(i w t) chi(t) dt, with C and chi of
               `jt.correlation`; both from (-i w - L) V = (what B does to the state)

    oscillator    as `jt.correlation`
    beta, x       inverse temperature, 1/energy, and field; scalars
    frequencies   angular frequencies w, 1/time, (frequencies,), in any order
    observables   A and B as in `jt.correlation`; each must be even or odd in p
    progress      as `jt.correlation`
    Returns       a `Spectrum` with `symmetrised` and `response` at `frequencies`
    Raises        ValueError that names the argument; if the oscillator has no grid and jax traces a parameter
    Accuracy      `status` is ok where the stationary state is, the solves have converged, and grid and hierarchy hold
                  the disturbances: then both are right to 1e-6 of their largest value; else a `JaxthermoWarning` is
                  raised, unless jax traces
    Source        Callen & Welton, Phys. Rev. 83, 34 (1951) for the theorem

    `imbalance` is tanh(beta hbar w/2) S/hbar - Im chi, classically beta w S/2 - Im chi: 0 by the theorem of
    fluctuation and dissipation, but for the poles that the bath leaves out. If only one of A and B is odd in p, time
    reversal makes S imaginary: `symmetrised` is S/i then, and -Re chi stands for Im chi. A solve takes longer the
    weaker the damping; many frequencies are found faster from a `jt.correlation`, by its method `spectrum`. Where
    forces and observables are linear, and all is known, both follow from closed moments. Differentiable as
    `jt.correlation` is, in the frequencies too.

    Example
        >>> import jaxthermo as jt
        >>> oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0)
        >>> complex(jt.spectrum(oscillator, 1.0, 0.0, [0.0, 1.0]).response[1].round(6))  # 1/(1 - w^2 - i w)
        1j
    """
    beta, x = check_place(oscillator, beta, x)
    require_double_for(SOLVED, SOLVED)
    frequencies = as_float(frequencies)
    if frequencies.ndim != 1 or frequencies.shape[0] == 0:
        raise ValueError(f"`frequencies` must have shape (frequencies,), but has shape {frequencies.shape}")
    require_finite("frequencies", frequencies)
    pair = pair_of(observables, oscillator, beta, x)
    require_parity(pair)
    motion = linear_motion(oscillator, beta, x) if are_linear(pair) else None
    if motion is not None:
        return _closed(oscillator, motion, beta, x, frequencies, pair)

    def solve(chosen: Oscillator) -> Spectrum:
        state = state_at(chosen, beta, x)
        return _resolved(state, frequencies, pair, not is_known(jax.tree.leaves((state, frequencies))))

    found = with_room("spectrum", oscillator, beta, x, pair, solve, progress)
    warn_unless_ok(found)
    return found


def require_parity(pair: Pair) -> None:
    """Both observables must be even or odd in p, so that t < 0 follows from t > 0."""
    if any(np.isnan(one.sign) for one in pair):
        raise ValueError("`observables` must each be even or odd in p for a spectrum, but one is neither")


def _closed(
    oscillator: Oscillator, motion: LinearMotion, beta: Array, x: Array, frequencies: Array, pair: Pair
) -> Spectrum:
    halves = functions_of_frequency(motion.drift, *motion.pair(*pair), frequencies)
    nothing = jnp.zeros(())
    return described(
        oscillator, beta, x, frequencies, pair, halves, status=first_problem(), error=nothing, held=jnp.zeros(3)
    )


@lean_jit
def _resolved(state: State, frequencies: Float[Array, " frequencies"], pair: Pair, differentiable: bool) -> Spectrum:
    problem = Disturbed(state.oscillator, state.V, 1.0 / state.beta, state.x, *pair, frequencies)
    equation = problem.equation
    begins = problem.beginnings()

    def at(frequency: Array) -> tuple[Complex[Array, "2"], Array, Array]:
        def one(begin: Array) -> tuple[Complex[Array, ""], Array, Array]:
            found, error = resolvent(equation, problem.temperature, problem.x, frequency, begin, differentiable)
            parts = [problem.mean(pair[0], V) for V in found]
            return jax.lax.complex(*parts), error, jax.lax.stop_gradient(problem.held_pair(found))

        return jax.lax.map(one, begins)

    halves, errors, held = jax.lax.map(at, frequencies)
    edge, coarse, tail = jnp.max(held, axis=(0, 1))
    status = first_problem(
        state.status,
        status_if(~jnp.all(errors < SOLVED), Status.not_converged),
        resolved_enough(state, pair, edge, coarse, tail),
    )
    return described(
        state.oscillator,
        state.beta,
        state.x,
        frequencies,
        pair,
        halves.T,
        status=status,
        error=jnp.max(errors),
        held=jnp.stack([edge, coarse, tail]),
    )


def described(
    oscillator: Oscillator,
    beta: Array,
    x: Array,
    frequencies: Array,
    pair: Pair,
    halves: Complex[Array, "2 frequencies"],
    *,
    status: Array,
    error: Array,
    held: Float[Array, "3"],
) -> Spectrum:
    """The result from the transforms over t > 0; those over t < 0 follow by time reversal."""
    alike = pair[0].sign == pair[1].sign
    response = halves[1]
    symmetrised = 2.0 * (halves[0].real if alike else halves[0].imag)
    dissipation = response.imag if alike else -response.real
    hbar = oscillator.hbar
    half = 0.5 * beta * frequencies
    balance = jnp.tanh(half * hbar) / hbar if oscillator.quantum else half
    lost = status_if(~jnp.all(jnp.isfinite(symmetrised + response.real)), Status.not_finite)
    return Spectrum(
        status=first_problem(status, lost),
        stats={"frequencies": np.int32(frequencies.shape[0])},
        oscillator=oscillator,
        observables=pair,
        frequency=frequencies,
        symmetrised=symmetrised,
        response_real=response.real,
        response_imag=response.imag,
        imbalance=balance * symmetrised - dissipation,
        beta=beta,
        x=x,
        error=error,
        edge=held[0],
        coarse=held[1],
        tail=held[2],
    )

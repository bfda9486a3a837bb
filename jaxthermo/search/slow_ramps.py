"""The best of slow ramps, from the equilibrium correlations along its way: a geodesic of the friction."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.polynomial import chebyshev

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.brownian import Spectrum, spectrum
from jaxthermo.brownian.bath import require_one_temperature
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import require_integer, require_known, require_positive, require_scalar
from jaxthermo.protocols.schedules import Table

# Fields at which the friction is computed, in turn, where their number is left open; the least that may be asked for.
LADDER, FEWEST = (9, 17, 33), 3
# Corners of the ramp; and the error of its length from which on it is not called converged.
CORNERS, RESOLVED = 65, 1e-3


class SlowRamp(AbstractResult):
    """A ramp at constant excess power, made by `slow_ramp`.

    `ramp` is its schedule, a `jt.Table` from t = 0 to `duration`. `excess_work` and `excess_work_of_line`, that of the
    straight ramp, are the leading order in 1/duration of the work beyond the difference of free energies.
    """

    status: Int[Array, ""]
    stats: dict[str, int]
    oscillator: Oscillator
    ramp: Table
    beta: Float[Array, ""] = quantity("1/energy", "inverse temperature of the bath")
    duration: Float[Array, ""] = quantity("time", "of the ramp")
    field: Float[Array, " field"] = quantity("energy/X", "field x", ("field",), coordinate=True)
    friction: Float[Array, " field"] = quantity("time X^2/energy", "friction of the field", ("field",), main=True)
    length: Float[Array, ""] = quantity("(energy time)^(1/2)", "thermodynamic length")
    excess_work: Float[Array, ""] = quantity("energy", "length^2/duration", main=True)
    excess_work_of_line: Float[Array, ""] = quantity("energy", "the same of the straight ramp", main=True)
    error: Float[Array, ""] = quantity("1", "estimated error of the length over itself")


def slow_ramp(
    oscillator: Oscillator,
    beta: ScalarLike,
    x_start: ScalarLike,
    x_end: ScalarLike,
    duration: ScalarLike,
    points: IntLike | None = None,
    *,
    progress: bool | None = None,
) -> SlowRamp:
    """The ramp x(t) that costs least where it is slow: it moves fast where equilibrium fluctuations of X are short.

    Equation   friction z(x) = beta int_0^inf <dX(t) dX> dt, symmetrised, in equilibrium at x; a slow ramp takes the
               work dF + int z x'^2 dt, which is least for x' sqrt(z) = const and then dF + length^2/duration, with
               length = int sqrt(z) dx

    oscillator      what is moved; a grid or a depth left open is chosen at each field
    beta            inverse temperature, a known number; 1/energy
    x_start, x_end  fields before and after, known numbers, not equal; energy per unit of X
    duration        of the ramp, a known number; time
    points          fields at which the friction is computed, Chebyshev's nodes of the way with both ends; >= 3. None:
                    9, or 17 or 33 where these are too few
    progress        as in `jt.spectrum`, which is called at each of them
    Returns         a `SlowRamp`
    Raises          ValueError that names the argument
    Accuracy        `status` is ok where all spectra at frequency 0 are, and the last two coefficients of the polynomial
                    for sqrt(z) change the length by less than 1e-3 (`error`). What is left out of the work is of order
                    duration^-2
    Source          Sivak & Crooks, Phys. Rev. Lett. 108, 190602 (2012)

    `jt.optimal_ramp` takes a `SlowRamp` as its `start`.

    Example
        >>> import jaxthermo as jt
        >>> trap = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 1.0]), 1.0)
        >>> slow = jt.search.slow_ramp(trap, beta=1.0, x_start=0.0, x_end=1.0, duration=20.0)
        >>> round(float(slow.friction[0]), 6), round(float(slow.excess_work), 6)  # A^2/k^2, k = 2, at every field
        (0.25, 0.0125)
    """
    check_oscillator(oscillator)
    require_one_temperature(oscillator)
    numbers = {"beta": beta, "x_start": x_start, "x_end": x_end, "duration": duration}
    require_known("slow_ramp", (oscillator, numbers), "call it outside of jax's transformations")
    beta, x_start, x_end, duration = (require_scalar(name, value) for name, value in numbers.items())
    for name, value in (("beta", beta), ("duration", duration)):
        require_positive(name, value)
    begin, end = float(x_start), float(x_end)
    if begin == end:
        raise ValueError(f"`x_end` must differ from `x_start`, but both are {begin}")
    middle, half = 0.5 * (begin + end), 0.5 * (end - begin)
    found: dict[float, Spectrum] = {}
    for count in LADDER if points is None else (require_integer("points", points, FEWEST),):
        nodes = np.round(chebyshev.chebpts2(count), 14)
        for node in nodes:
            if node not in found:
                found[node] = spectrum(oscillator, beta, middle + half * node, [0.0], ("X", "X"), progress=progress)
        power = np.array([float(found[node].symmetrised[0]) for node in nodes])
        friction = 0.5 * float(beta) * power
        way = _way(nodes, friction, half)
        if way.error <= RESOLVED or not all(one.ok for one in found.values()):
            break
    result = SlowRamp(
        status=first_problem(
            *(one.status for one in found.values()),
            status_if(jnp.asarray(not way.error <= RESOLVED), Status.not_converged),
        ),
        stats={"spectra": len(found)},
        oscillator=oscillator,
        ramp=Table(float(duration) * way.share, middle + half * np.linspace(-1.0, 1.0, CORNERS)),
        beta=beta,
        duration=duration,
        **jax.tree.map(
            jnp.asarray,
            {
                "field": middle + half * nodes,
                "friction": friction,
                "length": way.length,
                "excess_work": way.length**2 / float(duration),
                "excess_work_of_line": way.straight / float(duration),
                "error": way.error,
            },
        ),
    )
    warn_unless_ok(result)
    return result


class Way(NamedTuple):
    """Share of the length behind each corner, the length, (x_end - x_start)^2 times the mean friction, the error."""

    share: np.ndarray
    length: float
    straight: float
    error: float


def _way(nodes: np.ndarray, friction: np.ndarray, half: float) -> Way:
    """Of the friction at Chebyshev's nodes, by the polynomial for its root; `half` the way from the middle."""
    root = chebyshev.chebfit(nodes, np.sqrt(np.maximum(friction, 0.0)), len(nodes) - 1)

    def behind(coefficients: np.ndarray) -> np.ndarray:
        return chebyshev.chebval(np.linspace(-1.0, 1.0, CORNERS), chebyshev.chebint(coefficients, lbnd=-1.0))

    so_far, straight = behind(root), 2.0 * half**2 * behind(chebyshev.chebmul(root, root))[-1]
    if not np.all(np.diff(so_far) > 0.0):
        return Way(np.linspace(0.0, 1.0, CORNERS), float("nan"), float(straight), float("nan"))
    length = so_far[-1]
    error = abs(1.0 - behind(root[:-2])[-1] / length)
    return Way(so_far / length, float(abs(half) * length), float(straight), float(error))

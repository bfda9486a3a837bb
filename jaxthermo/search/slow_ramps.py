"""The best of slow ramps, from the equilibrium correlations along its way: a geodesic of the friction."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.polynomial import chebyshev

from jaxthermo._results import AbstractResult, quantity, warn_unless_ok
from jaxthermo._status import Status, first_problem, status_if
from jaxthermo._types import IntLike, ScalarLike
from jaxthermo.brownian import spectrum
from jaxthermo.brownian.bath import require_one_temperature
from jaxthermo.brownian.oscillator import Oscillator, check_oscillator
from jaxthermo.checks import require_integer, require_known, require_positive, require_scalar
from jaxthermo.protocols.schedules import Table

POINTS, FEWEST = 9, 3
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
    points: IntLike = POINTS,
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
    points          fields at which the friction is computed, Chebyshev's nodes of the way; >= 3
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
    count = require_integer("points", points, FEWEST)
    nodes = chebyshev.chebpts1(count)
    fields = 0.5 * (begin + end) + 0.5 * (end - begin) * nodes
    found = [spectrum(oscillator, beta, x, [0.0], ("X", "X"), progress=progress) for x in fields]
    friction = np.array([0.5 * float(beta) * float(one.symmetrised[0]) for one in found])

    # The root of the friction over the way from -1 to 1, and what of the length lies behind.
    root = chebyshev.chebfit(nodes, np.sqrt(friction), count - 1)
    way = np.linspace(-1.0, 1.0, CORNERS)
    behind = 0.5 * abs(end - begin) * chebyshev.chebval(way, chebyshev.chebint(root, lbnd=-1.0))
    length = behind[-1]
    # Of the straight ramp: the mean friction times the square of the way.
    square = chebyshev.chebint(chebyshev.chebmul(root, root), lbnd=-1.0)
    line = (end - begin) ** 2 * 0.5 * chebyshev.chebval(1.0, square) / float(duration)
    shorter = chebyshev.chebval(1.0, chebyshev.chebint(root[:-2], lbnd=-1.0))
    error = abs(1.0 - 0.5 * abs(end - begin) * float(shorter) / float(length))
    goes_on = bool(np.all(np.diff(behind) > 0.0))
    times = float(duration) * (behind / length if goes_on else np.linspace(0.0, 1.0, CORNERS))
    result = SlowRamp(
        status=first_problem(
            *(one.status for one in found),
            status_if(jnp.asarray(not (goes_on and error <= RESOLVED)), Status.not_converged),
        ),
        stats={"spectra": count},
        oscillator=oscillator,
        ramp=Table(times, 0.5 * (begin + end) + 0.5 * (end - begin) * way),
        beta=beta,
        duration=duration,
        **jax.tree.map(
            jnp.asarray,
            {
                "field": fields,
                "friction": friction,
                "length": length,
                "excess_work": length**2 / float(duration),
                "excess_work_of_line": line,
                "error": error,
            },
        ),
    )
    warn_unless_ok(result)
    return result

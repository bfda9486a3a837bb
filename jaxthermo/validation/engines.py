"""Exact statements about baths that are switched, engines between them, and the best engines."""

import itertools

import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize_scalar

import jaxthermo as jt
from jaxthermo.brownian.bath import expansion

PARABOLA = jt.Polynomial([0.0, 0.0, 0.5])
# With this coordinate the stiffness of the parabola is 1 + x.
STIFFNESS = jt.Polynomial([0.0, 0.0, -0.5])


def heat_between_baths() -> float:
    """Relative error of the heat that flows between two quantum baths through a parabola, by Landauer's integral."""
    frictions, betas, duration = np.array([0.6, 0.3]), np.array([0.5, 1.5]), 2.0
    ones = [lambda t: jnp.ones_like(t)] * 2
    baths = jt.SwitchedBaths([jt.OhmicBath(np.sqrt(friction), 1, 1) for friction in frictions], betas, ones)
    model = jt.quantum_oscillator(PARABOLA, baths, grid=jt.PhaseGrid(10.0, 0.55, 10.0, 0.55))
    run = jt.drive(model, 1.0, 0.0, np.array([0.0, duration]), tol=1e-7)
    xi, eta = expansion("pade", 1)

    def integrand(w: float) -> float:
        """Transmission times the difference of what each bath's noise has of energy at this frequency."""
        hot, cold = (1.0 / beta * (1.0 + np.sum(2.0 * eta * w**2 / (w**2 + (xi / beta) ** 2))) for beta in betas)
        return float(w**2 * (hot - cold) / ((1.0 - w**2) ** 2 + (frictions.sum() * w) ** 2))

    current = 2.0 * np.prod(frictions) / np.pi * quad(integrand, 0.0, np.inf, epsabs=1e-12, limit=200)[0]
    assert run.heat_of is not None
    heats = np.asarray(run.heat_of)[-1]
    return float(np.max(np.abs(heats / (duration * current) - np.array([1.0, -1.0]))))


def otto_cycle() -> float:
    """Largest error of work and heats of an Otto cycle against <q^2>, <qp>, <p^2>, over the largest heat."""
    friction, betas, cold_field, period, rise = 0.5, (0.5, 1.0), -0.4, 16.0, 0.25
    grid = jt.PhaseGrid(10.0, 0.45, 8.5, 0.45)
    model = jt.classical_oscillator(PARABOLA, np.sqrt(friction), grid, coordinate=STIFFNESS)
    run = jt.run_cycle(model, jt.OttoCycle(*betas, 0.0, cold_field, period, rise=rise), 1e-6, points=2)
    quarter = 0.25 * period
    width = rise * quarter

    def step(u: float) -> tuple[float, float]:
        """The smooth step and its slope."""
        u = min(max(u, 0.0), 1.0)
        return u * u * (3.0 - 2.0 * u), 6.0 * u * (1.0 - u)

    def window(t: float) -> tuple[float, float]:
        """Of a bath that is coupled in the first quarter."""
        (up, rising), (down, falling) = step(t / width), step((t - quarter + width) / width)
        return up - down, (rising - falling) / width

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        q2, qp, p2 = y[:3]
        (there, moving), (back, returning) = step(t / quarter - 1.0), step(t / quarter - 3.0)
        stiffness, slope = 1.0 + cold_field * (there - back), cold_field * (moving - returning) / quarter
        given, rub, drag = [], 0.0, 0.0
        for beta, begin in zip(betas, (0.0, 2.0 * quarter), strict=True):
            share, turning = window(t - begin)
            rub, drag = rub + friction * share**2, drag + friction * share * turning
            force = friction * (share**2 * (1.0 / beta - p2) - share * turning * qp)
            given.append(force - friction * turning * (share * qp + turning * q2))
            given.append(friction * turning * (share * qp + turning * q2))
        moved = [2.0 * qp, p2 - (stiffness + drag) * q2 - rub * qp, 2.0 * (sum(given) - stiffness * qp)]
        return np.array([*moved, 0.5 * slope * q2, *given])

    def turn(start: np.ndarray) -> np.ndarray:
        """Moments, work, and of each bath heat and switching after a period."""
        ends = [0.0, width, quarter - width, quarter]
        knots = np.unique(np.concatenate([end + quarter * np.arange(4) for end in ends]))
        y = np.append(start, np.zeros(5))
        for left, right in itertools.pairwise(knots):
            y = solve_ivp(rates, (left, right), y, method="DOP853", rtol=1e-9, atol=1e-11).y[:, -1]
        return y

    nothing = turn(np.zeros(3))[:3]
    linear = np.column_stack([turn(unit)[:3] - nothing for unit in np.eye(3)])
    work, hot, opened, cold, closed = turn(np.linalg.solve(np.eye(3) - linear, nothing))[3:]
    assert run.heat_of is not None and run.switching_of is not None
    found = np.concatenate([[run.work], run.heat_of, run.switching_of])
    return float(np.max(np.abs(found - np.array([work, hot, cold, opened, closed]))) / abs(hot))


def isentropes() -> float:
    """Largest relative error of the stiffness k that keeps beta^2 k of a parabola, and beta^3 k of k q^4."""
    errors = []
    for power in (2, 4):
        factor = 2.0 ** -(1.0 + 0.5 * power)
        bounds = (0.7 * factor, 1.5 * factor)
        potential = jt.Polynomial(np.zeros(power + 1))
        coordinate = jt.Polynomial(np.append(np.zeros(power), -1.0))
        for model in (
            jt.classical_oscillator(potential, 0.5, coordinate=coordinate),
            jt.quantum_oscillator(potential, 0.5, 0, coordinate=coordinate),
        ):
            found = jt.isentropic_field(model, 0.7, 1.0, 1.4, bounds)
            errors.append(abs(float(found) / factor - 1.0))
    return max(errors)


def pareto_front() -> float:
    """Largest relative error of both ends of a front of one parameter, the amplitude of a stiffness.

    Power and entropy production of any amplitude are known from <q^2>, <qp>, <p^2>.
    """
    friction, period, mean, swing, widest = 0.8, 12.0, 0.8, 0.3, 0.5
    grid = jt.PhaseGrid(8.0, 0.6, 7.5, 0.6)
    model = jt.classical_oscillator(PARABOLA, np.sqrt(friction), grid, coordinate=STIFFNESS)
    start = jt.FourierCycle(mean, [0.0], [swing], 0.0, [-0.2], [0.0], period)
    bounds = {"x_series.cosines": (-widest, widest)}
    front = jt.search.pareto_front(model, start, bounds, points=2, progress=False)

    def measured(size: float) -> np.ndarray:
        """Power and entropy production."""

        def rates(t: float, y: np.ndarray) -> np.ndarray:
            # Four starts side by side: from nothing, and from each moment's unit.
            q2, qp, p2 = y.reshape(5, 4)[:3]
            w = 2.0 * np.pi / period
            beta, stiffness = mean + swing * np.sin(w * t), 1.0 + size * np.cos(w * t)
            heat = friction * (1.0 / beta - p2)
            moved = [2.0 * qp, p2 - stiffness * q2 - friction * qp, 2.0 * (heat - stiffness * qp)]
            return np.concatenate([*moved, -0.5 * size * w * np.sin(w * t) * q2, beta * heat])

        starts = np.concatenate([np.eye(3, 4, 1), np.zeros((2, 4))]).ravel()
        ends = solve_ivp(rates, (0.0, period), starts, method="DOP853", rtol=1e-8, atol=1e-10).y[:, -1].reshape(5, 4)
        slopes = ends[:, 1:] - ends[:, :1]
        fixed = np.linalg.solve(np.eye(3) - slopes[:3], ends[:3, 0])
        return -(ends[3:, 0] + slopes[3:] @ fixed) / period

    errors = []
    for i, loss in enumerate((lambda a: -measured(a)[0], lambda a: measured(a)[1])):
        best = minimize_scalar(loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-5}).x
        exact = measured(float(best))
        # Else the second end would be bounded by the power, and not the least of all.
        assert exact[0] > 0.0
        found = np.array([front.power[i], front.entropy_production_rate[i]])
        errors.append(np.abs(found / exact - 1.0))
    return float(np.max(errors))


CHECKS = (
    ("two quantum baths at once, parabola: heat of each = Landauer's integral (relative)", 1e-6, heat_between_baths),
    ("Otto: work, heat and switching of each bath = moments of a parabola, over the largest heat", 1e-6, otto_cycle),
    ("equal entropy: beta^2 k of a parabola and beta^3 k of k q^4 stay, classical and quantum", 1e-10, isentropes),
    ("Pareto front of one amplitude: both ends = optima of moments (relative)", 1e-3, pareto_front),
)

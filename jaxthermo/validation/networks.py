"""Exact statements about units between reservoirs, their engines, clocks and fluctuations."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxthermo as jt

BETAS = (0.5, 2.0)
GAP = 2.0


def _pair(load: float, interaction: float | None = None) -> jt.JumpNetwork:
    """Units of two states, both of whose reservoirs share the one edge."""
    return jt.JumpNetwork([(0, 1), (0, 1)], [0.0, GAP], interaction, [0.0, load], [0, 1], prefactor=[1.0, 0.4])


def parallel_reservoirs() -> float:
    """Largest error of work and heats of one unit, and of many that do not interact, against the four rates."""
    betas, prefactor = np.array(BETAS), np.array([1.0, 0.4])
    errors = []
    for load in (0.0, 0.8, 1.9):
        up, down = (prefactor * np.exp(s * 0.5 * betas * (GAP - np.array([0.0, load]))) for s in (-1.0, 1.0))
        current = (up[0] * down[1] - down[0] * up[1]) / (up.sum() + down.sum())
        exact = current * np.array([-load, GAP, load - GAP])
        one = jt.jumps.mesoscopic_stationary(_pair(load), BETAS, 1)
        many = jt.jumps.stationary(_pair(load), BETAS)
        errors += [np.append(found.work_current, found.heat_currents) - exact for found in (one, many)]
    return float(np.max(np.abs(errors)))


def tight_coupling() -> float:
    """Error of the efficiency load/(energy difference) of one unit and of the mean field, with an interaction."""
    found = jt.jumps.stationary(_pair(0.8, -0.6), BETAS)
    change = float(jnp.diff(jt.jumps.levels(found.occupation, found.network))[0])
    many = jt.jumps.conversion(found.work_current, found.heat_currents, BETAS).efficiency
    single = jt.jumps.mesoscopic_stationary(_pair(0.8, -0.6), BETAS, 1)
    one = jt.jumps.conversion(single.work_current, single.heat_currents, BETAS).efficiency
    return max(abs(float(many) - 0.8 / change), abs(float(one) - 0.8 / GAP))


def chain_of_twenty() -> float:
    """Largest error of work and heats of 20 interacting units against their chain of births and deaths."""
    number, force = 20, np.array([[0.0], [0.8]])
    n = np.arange(number + 1)
    change = np.diff(GAP * n - 0.3 * (n**2 + (number - n) ** 2) / number)
    betas, prefactor = np.array(BETAS)[:, None], np.array([[1.0], [0.4]])
    push = np.exp(-0.5 * betas * (change - force))
    up, down = prefactor * (number - n[:-1]) * push, prefactor * n[1:] / push
    p = np.append(1.0, np.cumprod(up.sum(axis=0) / down.sum(axis=0)))
    currents = (up * p[:-1] - down * p[1:]) / p.sum()
    exact = np.append((force * currents).sum(), ((change - force) * currents).sum(axis=1)) / number
    found = jt.jumps.mesoscopic_stationary(_pair(0.8, -0.6), BETAS, number)
    return float(np.max(np.abs(np.append(found.work_current, found.heat_currents) - exact)))


def heat_on_a_lattice() -> float:
    """Largest work along trajectories on a square without forces: energy of the states less the heat counted."""
    free, square = jt.PottsRing(3, -1.1, 0.0, 1.0, [0.0, 0.2, -0.1]), jt.jumps.cubic_lattice([4, 4])
    paths = jt.jumps.simulate_lattice(free, 3.0, square, [0.0, 5.0], 8, jax.random.key(0))
    return float(jnp.max(jnp.abs(paths.work)))


def entropy_symmetry() -> float:
    """Largest |lambda(s) - lambda(-1 - s)| for the entropy of five units between two temperatures."""
    found = jt.jumps.scaled_cumulant(_pair(0.8, -0.6), BETAS, 5, [0.3, -1.3, -0.2, -0.8], of="entropy")
    values = np.asarray(found.scaled_cumulant)
    return float(np.max(np.abs(values[::2] - values[1::2])))


def coherence_of_one_unit() -> float:
    """Largest relative distance of one unit on a flat ring from cot(pi/q) tanh(beta f/2q) with affinity beta f q."""
    errors = []
    for q in (3, 5):
        found = jt.bounds(jt.jumps.coherence(jt.PottsRing(q, -1.0, 0.8, 1.0), 1.5, 1))
        exact = np.tanh(0.6) / np.tan(np.pi / q)
        errors += [abs(float(found.value[0]) / exact - 1.0), abs(float(found.bound[0]) / exact - 1.0)]
    return max(errors)


def volume() -> float:
    """Relative difference of <div F> on a limit cycle from the sum of its Floquet exponents."""
    ring = jt.PottsRing(3, -1.0, 1.0, 0.1)
    cycle = jt.potts.limit_cycle(ring, 3.5)
    exponents = float(jnp.sum(jnp.log(jnp.abs(cycle.multipliers))) / cycle.period)
    return abs(float(jt.jumps.linear_noise(ring, 3.5).contraction) / exponents - 1.0)


def independent_units() -> float:
    """Largest |N cov - diag(P) + P P^T| of linear noise for units that do not interact."""
    free = jt.JumpNetwork([(0, 1), (1, 2), (2, 0), (0, 1)], [0.0, 0.3, 0.5], None, 0.7, [0, 0, 0, 1])
    betas = np.array([1.0, 2.5])
    P = np.asarray(jt.jumps.stationary(free, betas).occupation)
    return float(np.max(np.abs(jt.jumps.linear_noise(free, betas).covariance - np.diag(P) + np.outer(P, P))))


def cycles_of_units() -> float:
    """Relative error of the sum of affinities times currents of five units against their entropy production."""
    pair = _pair(0.8, -0.6)
    cycles = jt.jumps.mesoscopic_affinities(pair, BETAS, 5)
    whole = jt.jumps.mesoscopic_stationary(pair, BETAS, 5).entropy_production_rate
    return abs(float(cycles.affinity @ cycles.current / 5.0 / whole) - 1.0)


def split_entropy_production() -> float:
    """Largest housekeeping without forces at one temperature, and excess at rest between two, relative to the sum."""
    still = jt.jumps.evolve(jt.PottsRing(3, -1.0, 0.0, 0.1), 2.0, [0.8, 0.15, 0.05], [0.0, 1.0])
    rest = jt.jumps.stationary(_pair(0.8, -0.6), BETAS).occupation
    driven = jt.jumps.housekeeping(jt.jumps.evolve(_pair(0.8, -0.6), BETAS, rest, [0.0, 1.0]))
    relaxing = jt.jumps.housekeeping(still)
    none = [relaxing.housekeeping / relaxing.excess, driven.excess / driven.housekeeping]
    return max(float(jnp.max(jnp.abs(one))) for one in none)


def stability_and_dissipation() -> float:
    """Largest relative error of (f/2|u|) tanh(q f/2|u|) against second derivatives along a random pattern, q = 3..8."""
    errors = []
    for q in (3, 5, 8):
        ring = jt.PottsRing(q, -0.8, 0.6, 0.1)
        beta, pattern = q / 0.8, jax.random.normal(jax.random.key(q), (q,))
        pattern = pattern - jnp.mean(pattern)

        def pair(x: jax.Array, ring: jt.PottsRing = ring, beta: float = beta, shape: jax.Array = pattern) -> jax.Array:
            P = 1.0 / ring.q + x * shape
            produced = beta * jt.potts.thermodynamics(0.0, P, ring, beta).work_current
            return jnp.stack([produced, jt.jumps.contraction(0.0, P, ring, beta)])

        second = jax.jacfwd(jax.jacfwd(pair))(jnp.zeros(()))
        exact = 0.375 * np.tanh(0.375 * q)
        errors += [abs(float(second[0] / second[1]) / exact - 1.0)]
        errors += [abs(float(jt.potts.stability_dissipation(ring, beta)) / exact - 1.0)]
    return max(errors)


def common_clock() -> float:
    """Largest error of heats where one factor (1 + cos(2 pi t/T)/2)/2 speeds up all hops: T/2 times those at rest."""
    still = _pair(0.8, -0.6)
    period, base = 3.0, (1.0, 0.4)
    hops = [lambda t, G=G: G * (0.5 + 0.25 * jnp.cos(2.0 * jnp.pi * t / period)) for G in base]
    moved = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, GAP], -0.6, [0.0, 0.8], [0, 1], prefactor=hops)
    found = jt.jumps.periodic_state(moved, BETAS, period)
    rest = jt.jumps.stationary(still, BETAS)
    return float(jnp.max(jnp.abs(found.heats - 0.5 * period * rest.heat_currents)))


def first_law_of_paths() -> float:
    """Largest |change of energy - (work + heat) t| of one trajectory, exact or by leaps, per unit."""
    pair, number, duration = _pair(0.8, -0.6), 30, 2.0
    key = jax.random.key(1)
    exact = jt.jumps.simulate(pair, BETAS, number, duration, 16, key)
    leaps = jt.jumps.tau_leap(pair, BETAS, number, duration, 16, key, steps=200)
    errors = []
    for paths in (exact, leaps):
        shares = [np.asarray(counts) / number for counts in (paths.initial_counts, paths.final_counts)]
        before, after = (GAP * one[:, 1] - 0.3 * (one**2).sum(axis=1) for one in shares)
        errors.append(after - before - duration * (paths.work + paths.heats.sum(axis=1)))
    return float(np.max(np.abs(errors)))


def own_rhythm() -> float:
    """Error of the one turn that a ring makes in a period that is its own, with a force that rests."""
    ring = jt.PottsRing(3, -1.0, 1.0, 0.1)
    cycle = jt.potts.limit_cycle(ring, 3.5)
    found = jt.jumps.locking(ring, 3.5, cycle.period, cycle.point, transient=0, periods=20, steps=400)
    return abs(abs(float(found.rotation_number)) - 1.0)


def spinodal() -> float:
    """Largest error of ln(P_2/P_1) = -beta dE and 1/(P_1 P_2) = 2 |u| beta at the fold of two states (relative)."""
    gap, coupling = 0.4, -2.0
    units = jt.JumpNetwork([(0, 1)], [0.0, gap], coupling)
    found = jt.jumps.fold(units, 4.0, [0.01, 0.99])
    low, high = (float(one) for one in found.occupation)
    rest = float(found.beta) * (gap + coupling * (high - low)) / np.log(low / high) - 1.0
    return max(abs(rest), abs(2.0 * low * high * abs(coupling) * float(found.beta) - 1.0))


def branch_of_two_states() -> float:
    """Largest |beta dE + ln(P_2/P_1)| along a branch through its fold."""
    gap, coupling = 0.4, -2.0
    units = jt.JumpNetwork([(0, 1)], [0.0, gap], coupling)
    found = jt.jumps.branch(units, 4.0, [0.01, 0.99], low=1.0, high=4.5)
    P = np.asarray(found.occupation)
    change = np.asarray(found.beta) * (gap + coupling * (P[:, 1] - P[:, 0]))
    assert np.sum(found.fold) == 1
    return float(np.max(np.abs(change + np.log(P[:, 1] / P[:, 0]))))


def no_information() -> float:
    """|multipartite information| of eight units between two temperatures that do not interact."""
    free = jt.JumpNetwork([(0, 1), (1, 2), (2, 0), (0, 1)], [0.0, 0.3, 0.5], None, 0.7, [0, 0, 0, 1])
    steady = jt.jumps.mesoscopic_stationary(free, np.array([1.0, 2.5]), 8)
    return abs(float(jt.jumps.multipartite_information(steady)))


def independent_evolution() -> float:
    """Largest error of shares, their covariance and heats of six units that do not interact, against one unit's."""
    betas, number, ts = np.array(BETAS), 6, np.array([0.0, 0.4, 3.0])
    free = _pair(0.8)
    found = jt.jumps.mesoscopic_evolve(free, betas, number, [number, 0], ts)
    heat, prefactor = GAP - np.array([0.0, 0.8]), np.array([1.0, 0.4])
    up, down = prefactor * np.exp(-0.5 * betas * heat), prefactor * np.exp(0.5 * betas * heat)
    decay = (up + down).sum()
    rest, gone = up.sum() / decay, 1.0 - np.exp(-decay * ts)
    share, stayed = rest * gone, rest * (ts - gone / decay)
    # Each unit for itself: p(t) = rest (1 - exp(-decay t)), whose integral is `stayed`.
    heats = heat * (up * (ts - stayed)[:, None] - down * stayed[:, None])
    variance = share * (1.0 - share) / number
    errors = [
        found.occupation[:, 1] - share,
        found.covariance - variance[:, None, None] * np.array([[1.0, -1.0], [-1.0, 1.0]]),
        found.heats - heats,
    ]
    return max(float(np.max(np.abs(one))) for one in errors)


CHECKS = (
    ("two reservoirs on one edge, N = 1 and mean field: work and heats from four rates", 1e-12, parallel_reservoirs),
    ("efficiency = load/energy difference, N = 1 and interacting mean field", 1e-10, tight_coupling),
    ("N = 20, interacting, two states: work and heats = chain of births and deaths", 1e-10, chain_of_twenty),
    (
        "no interaction, N = 6 from one state: shares, covariance, heats = those of one unit",
        1e-8,
        independent_evolution,
    ),
    ("units on a lattice, no forces: change of energy = heat", 1e-12, heat_on_a_lattice),
    ("two temperatures: lambda(s) = lambda(-1 - s) of the entropy production", 1e-10, entropy_symmetry),
    (
        "N = 1, flat ring: quality factor = its bound, cot(pi/q) tanh(beta f/2) (relative)",
        1e-9,
        coherence_of_one_unit,
    ),
    ("N = 5: sum of affinities x currents round cycles = entropy production (relative)", 1e-10, cycles_of_units),
    ("no forces: no housekeeping; at rest: no excess (relative)", 1e-10, split_entropy_production),
    ("all hops sped up by one factor: periodic state's heats = mean factor x those at rest", 1e-8, common_clock),
    ("each trajectory, exact or by leaps: change of energy = work + heats", 1e-12, first_law_of_paths),
    ("ring under a steady force, counted in its own period: one turn", 1e-6, own_rhythm),
    ("fold of two states = spinodal, 1/(P_1 P_2) = 2 |u| beta (relative)", 1e-9, spinodal),
    ("branch of two states through its fold: ln(P_2/P_1) = -beta dE", 1e-9, branch_of_two_states),
    ("no interaction: no multipartite information, N = 8, two temperatures", 1e-9, no_information),
    ("limit cycle: mean of div F = sum of Floquet exponents (relative)", 1e-6, volume),
    ("no interaction: N cov = diag(P) - P P^T, out of equilibrium", 1e-11, independent_units),
    ("onset: entropy production by mean div F = (f/2|u|) tanh(q f/2|u|) (relative)", 1e-9, stability_and_dissipation),
)

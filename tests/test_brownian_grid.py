"""The automatic grid: one ladder of sizes, steps that fill it, and the accuracy that it promises."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest
from systems import compilations

import jaxthermo as jt
from jaxthermo.brownian.accuracy.automatic import LADDER, until_held
from jaxthermo.brownian.accuracy.promise import Growth
from jaxthermo.brownian.accuracy.reach import reach_of

QUARTIC, DOUBLE = [0.0, 0.0, 0.1, 0.02, 0.05], [0.0, 0.0, -1.0, 0.0, 0.1]


def test_sizes_are_rungs_that_grow_by_a_quarter_at_most():
    """So that few programs serve all temperatures, and none is much larger than needed."""
    sides = [
        side
        for beta in (0.1, 0.3, 1.0, 3.0, 10.0)
        for grid in [jt.grid_for(jt.quantum_oscillator(jt.Polynomial(QUARTIC), 1.0, 1, 1), beta, 0.5)]
        for side in (grid.q_side, grid.p_side)
    ]
    assert set(sides) <= set(LADDER) and len(set(sides)) < len(sides) // 2
    assert max(b / a for a, b in itertools.pairwise(LADDER)) <= 1.25
    # The last rung is the largest grid there is.
    assert 2 * LADDER[-1] + 1 == 2001


@pytest.mark.parametrize("length", [1e-9, 1e9])
def test_the_unit_of_length_does_not_matter(length):
    """Energies and q in other units: the same numbers of points, over a range that is as much larger or smaller."""
    other = jt.Polynomial([c / length**k for k, c in enumerate(QUARTIC)])
    grid = jt.grid_for(jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0), 1.0, 0.5)
    same = jt.grid_for(jt.classical_oscillator(other, 1.0), 1.0, 0.5 / length)
    assert (same.q_side, same.p_side) == (grid.q_side, grid.p_side)
    # The ends that are tried are 2 % apart.
    assert np.isclose(same.q_max / length, grid.q_max, rtol=0.03) and np.isclose(same.p_max, grid.p_max, rtol=1e-6)


@pytest.mark.parametrize("coefficients", [QUARTIC, DOUBLE], ids=["quartic", "double well"])
def test_a_rung_is_filled(coefficients):
    """The surplus goes to range and resolution in equal shares."""
    oscillator = jt.classical_oscillator(jt.Polynomial(coefficients), 1.0)
    grid, reach = jt.grid_for(oscillator, 1.0, 0.5), reach_of(oscillator, 1.0, 0.5, 1e-9)
    for last, step, far, wave in ((grid.q_max, grid.dq, reach.q, reach.k), (grid.p_max, grid.dp, reach.p, reach.y)):
        assert float(last) > far and np.pi / float(step) > wave
        np.testing.assert_allclose(last / far, np.pi / step / wave, rtol=1e-12)


@pytest.mark.parametrize("coefficients", [QUARTIC, DOUBLE], ids=["quartic", "double well"])
@pytest.mark.parametrize("beta", [0.25, 1.0, 10.0])
def test_boltzmann_is_held_to_the_promise(coefficients, beta):
    """Sums over the grid against quadrature: 1e-6 is promised, and the classical density has no other error."""
    grid = jt.grid_for(jt.classical_oscillator(jt.Polynomial(coefficients), 1.0), beta, 0.3)
    plain = np.polynomial.Polynomial(coefficients)
    expected = exact.classical_equilibrium(plain, beta, 0.3)
    q, p = np.asarray(grid.q), np.asarray(grid.p)
    weight = np.exp(-beta * (plain(q) - 0.3 * q - (plain(q) - 0.3 * q).min()))
    weight, over_p = weight / weight.sum(), np.exp(-0.5 * beta * p**2)
    found = [weight @ q, weight @ q**2, over_p @ p**2 / over_p.sum()]
    np.testing.assert_allclose(found, [expected[name] for name in ("X", "q2", "p2")], rtol=1e-8)


def test_a_range_of_temperatures_and_fields_is_held_at_its_corners():
    oscillator = jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0)
    betas, fields = np.linspace(0.5, 2.0, 4), jnp.asarray([[-1.0, 1.5]])
    grid = jt.grid_for(oscillator, betas, fields)
    for beta in (0.5, 2.0):
        for x in (-1.0, 1.5):
            reach = reach_of(oscillator, beta, x, 1e-9)
            assert float(grid.q_max) > reach.q and float(grid.p_max) > reach.p
            assert np.pi / float(grid.dq) > reach.k and np.pi / float(grid.dp) > reach.y


def test_a_loop_over_temperatures_and_fields_compiles_once_for_each_rung():
    oscillator = jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0)
    points = [(beta, x) for beta in (0.8, 0.9, 1.0, 1.1) for x in (0.2, 0.5, 0.9)]
    grids = [jt.grid_for(oscillator, beta, x) for beta, x in points]
    # Other tests may have compiled these rungs in this process.
    jax.clear_caches()
    with compilations() as compiled:
        for beta, x in points:
            jt.equilibrium(oscillator, beta, x)
    assert 0 < sum("solve" in name for name in compiled) <= len({(grid.q_side, grid.p_side) for grid in grids}) < 4


def test_traced_values_are_refused_with_the_line_to_write():
    oscillator = jt.quantum_oscillator(jt.Polynomial(QUARTIC), 1.0, 1, 1)
    for call in (jt.grid_for, lambda o, b, x: jt.equilibrium(o, b, x).X):
        with pytest.raises(ValueError, match=r"`grid` must be given .* = jt.grid_for\(oscillator, betas, fields\)"):
            jax.jit(lambda beta, call=call: call(oscillator, beta, 0.5))(1.0)


def test_impossible_temperatures_are_refused():
    oscillator = jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0)
    for betas, fields, message in (
        ([1.0, 0.0], 0.5, "`betas` must be > 0"),
        (np.nan, 0.5, "`betas` must be finite"),
        (1.0, [0.0, np.inf], "`fields` must be finite"),
        ([], 0.5, "`betas` must not be empty"),
    ):
        with pytest.raises(ValueError, match=message):
            jt.grid_for(oscillator, betas, fields)


class Held(NamedTuple):
    """What a solve says of its grid."""

    oscillator: object
    status: np.ndarray


@pytest.mark.parametrize(("attempts", "outcome"), [(1, "grid too small"), (2, "grid too small"), (4, "ok")])
def test_a_grid_that_was_left_open_grows_until_it_holds_or_attempts_end(attempts, outcome):
    """As `run_cycle`, `drive` and `equilibrium` do, with a solve that only looks at the reach of its grid."""
    asked, tried = jt.classical_oscillator(jt.Polynomial(QUARTIC), 1.0), []
    chosen = jt.brownian.resolved(asked, 1.0, 0.3)
    wanted = 1.3 * float(chosen.grid.q_max)

    def solve(oscillator, attempt):
        assert attempt == len(tried)
        tried.append(oscillator.grid)
        fits = float(oscillator.grid.q_max) > wanted
        return Held(oscillator, np.asarray(int(jt.Status.ok if fits else jt.Status.grid_too_small)))

    found = until_held(solve, chosen, asked, lambda _: Growth(1.15, 1.0), attempts)
    assert jt.Status(int(found.status)).word == outcome and len(tried) == min(attempts, 3)
    reaches = [float(grid.q_max) for grid in tried]
    np.testing.assert_allclose(reaches, reaches[0] * 1.15 ** np.arange(len(tried)), rtol=1e-12)
    assert all(float(grid.dq) <= float(tried[0].dq) * (1 + 1e-12) for grid in tried)
    # A grid that was given stays as it is.
    assert until_held(solve_once, chosen, chosen, lambda _: Growth(1.15, 1.0), attempts).oscillator is chosen


def solve_once(oscillator, attempt):
    assert attempt == 0
    return Held(oscillator, np.asarray(int(jt.Status.grid_too_small)))

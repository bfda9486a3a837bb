"""Where units on a lattice without a force order: the transition of the 3-state Potts model, from the jump dynamics.

In the usual convention the weight of a configuration is exp(beta J x pairs of like neighbours), and here J = |u|/z.
"""

import jax
import numpy as np
import pytest

import jaxthermo as jt

FREE = jt.PottsRing(3, -1.0, 0.0, 1.0, rates=jt.potts.Metropolis())
# Of 200 looks, these are left out while the start from random states is forgotten.
FORGOTTEN = 30


def sampled(sides, beta, t_end):
    """Energy of all units and the squared order parameter along trajectories at rest."""
    lattice, times = jt.jumps.cubic_lattice(sides), np.linspace(0.0, t_end, 201)
    paths = jt.jumps.simulate_lattice(FREE, beta, lattice, times, 64, jax.random.key(0))
    assert paths.ok.all()
    return tuple(
        np.asarray(one)[:, FORGOTTEN:] for one in (len(lattice) * paths.energy, abs(paths.order_parameter) ** 2)
    )


def ratio(energy, square, change):
    """Binder's ratio <|m|^2>^2/<|m|^4> at beta + change, by the weights exp(-change E)."""
    weights = np.exp(-change * (energy - energy.mean()))
    weights /= weights.sum()
    return (weights * square).sum() ** 2 / (weights * square**2).sum()


def crossing(small, large, beta):
    """The inverse temperature at which two sizes have one ratio, sought within 4 % of beta."""
    changes = beta * np.linspace(-0.04, 0.04, 33)
    above = np.array([ratio(*large, d) - ratio(*small, d) for d in changes])
    # The larger lattice has the smaller ratio where it is hot, and the larger one where it is cold.
    (last,) = np.nonzero((above[:-1] < 0.0) & (above[1:] >= 0.0))[0]
    return beta + np.interp(0.0, above[last : last + 2], changes[last : last + 2])


def test_a_square_lattice_orders_where_it_is_dual_to_itself():
    """beta_c J = ln(1 + sqrt 3), exact for infinite size (Potts 1952); 6 x 6 and 12 x 12 cross within 2 % of it."""
    exact = 4.0 * np.log(1.0 + np.sqrt(3.0))
    small, large = (sampled([side] * 2, exact, 400.0) for side in (6, 12))
    assert crossing(small, large, exact) == pytest.approx(exact, rel=0.02)


def test_a_cubic_lattice_orders_at_its_literature_value():
    """beta_t J = 0.550565(10): Janke & Villanova, Nucl. Phys. B 489, 679 (1997); cubes of 4 and 8 on a side."""
    published = 6.0 * 0.550565
    small, large = (sampled([side] * 3, published, 400.0) for side in (4, 8))
    found = crossing(small, large, published)
    assert found == pytest.approx(published, rel=0.012)
    # The mean field orders at 4 ln 2 = 2.77, its first-order transition for three states.
    assert found - 4.0 * np.log(2.0) > 0.5

"""Phase diagrams: lane by lane the attractors, and exact where something is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import jaxthermo as jt
from jaxthermo.papers.rings.phases import draw_phases, summary
from jaxthermo.potts import Phase

G = 0.1
BETAS, FORCES = np.linspace(0.4, 7.6, 10), np.array([0.05, 0.25, 0.6, 1.0, 1.5])


@pytest.fixture(scope="module")
def diagram():
    return jt.potts.phase_diagram(3, -1.0, BETAS, FORCES, prefactor=G)


def test_every_lane_is_its_stationary_state(diagram):
    lanes = np.random.default_rng(1).choice(diagram.phase.size, 16, replace=False)
    beta, force = (grid.ravel()[lanes] for grid in np.meshgrid(BETAS, FORCES, indexing="ij"))
    found = jt.potts.stationary_lanes(jax.vmap(lambda f: jt.PottsRing(3, -1.0, f, G))(jnp.asarray(force)), beta)
    np.testing.assert_array_equal(np.asarray(diagram.phase).ravel()[lanes], jt.potts.phases(found))
    np.testing.assert_allclose(np.asarray(diagram.work_current).ravel()[lanes], found.work_current, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(diagram.period).ravel()[lanes], found.period, rtol=1e-9)


def test_lines_are_the_exact_ones(diagram):
    np.testing.assert_allclose(diagram.beta_c1, 3.0, rtol=1e-12)
    folds = jax.jit(jax.vmap(lambda f: jt.potts.fold_beta(jt.PottsRing(3, -1.0, f))))(jnp.asarray(FORCES))
    np.testing.assert_allclose(diagram.beta_fold, folds, rtol=1e-12)


def test_phases_lie_between_their_lines(diagram):
    beta, phase = np.asarray(diagram.beta)[:, None], diagram.phase
    onset, fold = np.asarray(diagram.beta_c1), np.asarray(diagram.beta_fold)
    assert diagram.ok.all() and diagram.stats["undecided"] == 0
    uniform = (beta < onset) & (beta < fold)
    assert np.all(phase[uniform] == Phase.uniform)
    localised = beta > fold
    assert np.all(phase[localised] == Phase.localised) and np.all(diagram.localised_stable == localised)
    between = (beta > onset) & (beta < fold)
    assert between.any() and np.all(phase[between] == Phase.limit_cycle)
    np.testing.assert_array_equal(diagram.uniform_stable, (beta < onset) & np.ones(phase.shape, bool))


def test_coexistence_is_seen():
    """Weakly driven: localised states beside the uniform one below beta_c1, and beside a cycle just above it."""
    data = jt.potts.phase_diagram(3, -1.0, [2.9, 3.02, 3.5], [0.1, 0.12], prefactor=G)
    assert np.all(data.phase == Phase.localised) and np.all(data.localised_stable)
    np.testing.assert_array_equal(data.uniform_stable[:, 0], [True, False, False])
    np.testing.assert_array_equal(data.cycle_stable[:, 0], [False, True, False])


def test_even_rings_alternate_between_the_lines():
    data = jt.potts.phase_diagram(4, -1.0, [3.5, 4.6, 6.0], [0.6, 1.0], prefactor=G)
    np.testing.assert_array_equal(data.phase[:, 0], [Phase.uniform, Phase.clustered, Phase.localised])


def test_output_power_over_loads():
    data = jt.potts.phase_diagram(3, -1.0, [2.0, 3.4], [-0.9, -0.5, -0.1], prefactor=G, forward_force=1.0)
    load = np.asarray(data.force2)
    drive = 1.0 + load
    np.testing.assert_allclose(data.output_power, -np.asarray(data.work_current) * load / drive, rtol=1e-12)
    uniform = -load * 2 * G * np.sinh(0.5 * 2.0 * drive)
    np.testing.assert_allclose(data.output_power[0], uniform, rtol=1e-10)


def test_command_stores_what_it_draws(tmp_path, monkeypatch, diagram):
    monkeypatch.setattr("jaxthermo.papers.rings.phases.phase_diagram", lambda *_, **__: diagram)
    draw_phases(tmp_path, 3, -1.0, G, 8.0, 1.5, 10)
    assert {path.name for path in tmp_path.iterdir()} == {"phases_q3.png", "phases_q3.svg", "phases_q3.zarr"}
    stored = xarray.open_zarr(tmp_path / "phases_q3.zarr", consolidated=False)
    np.testing.assert_array_equal(stored.phase, diagram.phase)
    assert all(stored[name].attrs["units"] and stored[name].attrs["long_name"] for name in stored.variables)
    assert {"jaxthermo_version", "git_commit", "parameters", "undecided"} <= set(stored.attrs)
    assert "limit cycle" in summary(stored)


BAD = {
    "betas": (lambda: jt.potts.phase_diagram(3, -1.0, 1.0, [1.0]), "`betas` must be one-dimensional"),
    "negative beta": (lambda: jt.potts.phase_diagram(3, -1.0, [-1.0], [1.0]), "`beta` must be >= 0"),
    "forces": (lambda: jt.potts.phase_diagram(3, -1.0, [1.0], [np.nan]), "`forces` must be finite"),
    "q": (lambda: jt.potts.phase_diagram(1, -1.0, [1.0], [1.0]), "`q` must be an integer >= 2"),
    "forward force": (
        lambda: jt.potts.phase_diagram(3, -1.0, [1.0], [-0.5], forward_force=-1.0),
        "`forward_force` must be > 0",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()

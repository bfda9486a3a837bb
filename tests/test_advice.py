"""`jt.audit`, `jt.cite` and `jt.about`: what they say of good results, of bad ones, of batches and of scans."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oscillator_exact as exact
import pytest

import jaxthermo as jt
from jaxthermo.advice.brownian import switching
from jaxthermo.advice.findings import findings_of
from jaxthermo.citation import ARTICLES, TAKEN_FROM
from tests.systems import HARMONIC, SEARCH_GRID, quartic, ring

# The README's cycle on the box of a user who met wrong work that was called ok.
SMALL = jt.PhaseGrid(q_max=3.0, dq=0.3, p_max=8.4, dp=0.7)


def topics(result):
    return [one.topic for one in jt.audit(result).findings]


@pytest.fixture(scope="module")
def state():
    return jt.equilibrium(quartic(grid=None), 1.0, 0.5)


@pytest.fixture(scope="module")
def clipped():
    with pytest.warns(UserWarning, match="grid too small"):
        return jt.equilibrium(quartic(grid=SMALL), 0.5, 1.5)


def test_nothing_is_found_in_a_good_result(state):
    assert str(jt.audit(state)) == "State: nothing found"
    assert jt.audit(jt.potts.stationary(ring(), 2.0)).findings == ()


def test_a_clipped_state_is_told_with_what_to_change(clipped):
    report = jt.audit(clipped)
    assert [one.topic for one in report.findings][:2] == ["status", "edge"]
    edge = report.findings[1]
    assert "q_max" in edge.change and f"{float(clipped.edge):.2g}" in edge.what
    assert "<th>edge</th>" in report._repr_html_() and "- edge:" in str(report)


def test_a_batch_says_in_how_many_lanes(clipped):
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), clipped, clipped)
    assert "in 2 of 2 lanes" in str(jt.audit(both))
    one = [jt.potts.stationary(ring(), beta) for beta in (2.0, 4.0)]
    assert topics(jax.tree.map(lambda *leaves: jnp.stack(leaves), *one)) == []


def test_another_attractor_is_looked_for():
    """Below beta_fold = 6.107 the cycle is the only one; f = 0 below beta_c1 = 3 has uniform and localised states."""
    assert topics(jt.potts.stationary(ring(), 4.0)) == []
    alone = jt.potts.stationary(ring(force=0.0), 2.9, [1 / 3, 1 / 3, 1 / 3])
    (found,) = jt.audit(alone).findings
    assert found.topic == "multistability" and "fixed point" in found.what and "p0" in found.change


def test_rotated_copies_are_no_other_attractor():
    """Localised states: q copies, one attractor."""
    assert topics(jt.potts.stationary(ring(), 8.0)) == []


def test_an_undecided_lane_is_told():
    with pytest.warns(UserWarning, match="undecided"):
        undecided = jt.potts.stationary(ring(), 3.0 + 1e-9, max_rounds=1)
    assert topics(undecided) == ["status"]


def test_a_trajectory_keeps_both_laws():
    run = jt.potts.evolve(ring(), 4.0, None, np.linspace(0.0, 20.0, 41))
    assert topics(run) == []
    broken = jax.tree.map(lambda leaf: leaf, run)
    object.__setattr__(broken, "work", run.work + jnp.linspace(0.0, 1.0, 41))
    object.__setattr__(broken, "entropy_production_rate", run.entropy_production_rate - 10.0)
    assert topics(broken) == ["first law", "second law"]


def test_what_twice_as_many_poles_add_is_that_of_exact_moments():
    """<p^2> of a parabola at K and 2K poles by the closed moment equations, which share no code with the library."""
    beta, hbar = 3.0, 1.0

    def momentum(poles):
        xi, eta = exact.pade(poles)
        model = exact.HarmonicMoments(w0=1.0, gamma=1.0, xi=xi, eta=eta, mass=1.0, hbar=hbar)
        return model.stationary(beta, 0.0)[4]

    bath = jt.OhmicBath(1.0, poles=2)
    assert bath.missing_noise(1.0, hbar, 1.0, beta) == pytest.approx(momentum(4) / momentum(2) - 1.0, rel=1e-10)


def test_a_cold_quantum_state_depends_on_its_poles():
    """At depth 1 a parabola is exact, so that hierarchy and grid have nothing to say."""
    assert topics(jt.equilibrium(jt.quantum_oscillator(HARMONIC, 1.0, 1, 1), 1.0, 0.0)) == ["poles"]
    assert jt.OhmicBath(0.1, poles=1).missing_noise(1.0, 1.0, 1.0, 1.0) < 0.01


def test_a_particle_in_the_wrong_well_is_told():
    """One pole is too few for two wells behind a barrier; the oscillator alone is asked by another path than ours."""
    wells = jt.Polynomial([0.0, 0.0, -5.0, 0.0, 0.625])
    few, more = (jt.equilibrium(jt.quantum_oscillator(wells, 0.3, poles), 1.0, 0.1) for poles in (1, 2))
    assert few.ok and topics(few) == ["poles", "wells"] and topics(more) == ["poles"]
    alone = jt.State.canonical(more.oscillator, beta=1.0, x=0.1)
    assert f"without its bath is {alone.q:.4g}" in str(jt.audit(few))


def test_a_fast_temperature_is_told():
    particle = jt.quantum_oscillator(HARMONIC, 1.0, 1, 1, jt.PhaseGrid(7.0, 0.35, 9.0, 0.45))
    start = jt.equilibrium(particle, 0.5, 0.0)
    times = np.linspace(0.0, 0.1, 5)
    fast = jt.drive(particle, jt.protocols.Ramp(0.5, 1.0, 0.0, 0.1), 0.0, times, state=start)
    slow = jt.drive(particle, jt.protocols.Ramp(0.5, 0.501, 0.0, 0.1), 0.0, times, state=start)
    assert "fast beta(t)" in topics(fast) and "fast beta(t)" not in topics(slow)


def test_windows_that_take_more_work_than_the_field_delivers_are_told():
    work, of_baths = np.array([-0.1, -0.1, 0.1]), np.array([[0.05, 0.06], [0.03, 0.06], [0.5, 0.5]])
    (told,) = switching(work, of_baths)
    assert told.topic == "switching" and "takes 0.11 in 1 of 3 lanes" in told.what
    assert not list(switching(work[1:], of_baths[1:]))


def test_a_search_that_gains_nothing_is_told(state):
    particle = quartic(grid=SEARCH_GRID)
    start = jt.equilibrium(particle, 0.7, 0.3)
    found = jt.minimum_work(particle, start, beta=1.0, x=0.8, order=2, dt=0.25)
    assert "no gain" not in topics(found)
    idle = jax.tree.map(lambda leaf: leaf, found)
    object.__setattr__(idle, "value", found.upper)
    assert "no gain" in topics(idle)


def test_few_trajectories_are_told():
    few = jt.potts.simulate(ring(), 2.0, 4, 1.0, 64, jax.random.key(0))
    many = jax.tree.map(lambda leaf: leaf, few)
    object.__setattr__(many, "work", 1.0 + 1e-3 * few.work)
    assert topics(few) == ["sampling"] and topics(many) == []


def test_a_scan_says_where_lanes_failed():
    found = jt.scan(lambda beta: jt.potts.uniform_work_current(ring(), beta), beta=np.array([-1.0, 1.0, 2.0]))
    report = jt.audit(found)
    assert [one.topic for one in report.findings] == ["status", "where"]
    assert "-1 <= beta <= -1" in report.findings[1].what


def test_lanes_of_a_scan_on_a_small_grid_are_not_ok():
    found = jt.scan(lambda beta: jt.equilibrium(quartic(grid=SMALL), beta, 1.5), beta=np.array([0.5, 0.6]))
    assert (found.status == int(jt.Status.grid_too_small)).all() and topics(found) == ["status"]


def test_single_precision_is_told(state):
    short = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32) if eqx.is_inexact_array(leaf) else leaf, state)
    assert "precision" in topics(short)


def test_what_is_no_result_is_refused():
    with pytest.raises(TypeError, match="result"):
        jt.audit(3.0)
    with pytest.raises(TypeError, match="result"):
        jt.cite(3.0)
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda beta: jt.audit(jt.potts.stationary(ring(), beta)))(2.0)


def test_most_kinds_of_results_have_checks_of_their_own():
    own = {kind.__name__ for kind in findings_of.registry} - {"object"}
    assert {"State", "PeriodicRun", "DrivenRun", "Stationary", "MinimumWork", "BasinSample", "Cumulants"} <= own


def test_citations_follow_models_and_results(state):
    engine = jt.cite(state)
    rates = jt.potts.PottsRing(3, -1.0, 1.0, rates=jt.potts.Glauber())
    assert "koyanagi2024" in engine and "herpich2019" not in engine and "hu2011" not in engine
    assert "glauber1963" in jt.cite(jt.potts.stationary(rates, 2.0))
    assert jt.cite().count("@") == 3
    assert not {key for keys in TAKEN_FROM.values() if not callable(keys) for key in keys} - set(ARTICLES)


def test_citations_follow_what_a_model_holds():
    ring, pade = jt.PottsRing(3, -1.0, 1.0), jt.OhmicBath(1.0, poles=2)
    two = jt.JumpNetwork([(0, 1), (0, 1)], [0.0, 1.0], reservoirs=[0, 1])
    functions = {kind: keys for kind, keys in TAKEN_FROM.items() if callable(keys)}
    runs = [jt.potts.simulate(ring, 1.0, 10, 0.1, 2, jax.random.key(0), [10, 0, 0])]
    examples = {type(pade): [pade, jt.OhmicBath(1.0, poles=0)], type(two): [two, jt.JumpNetwork([(0, 1)], [0.0, 1.0])]}
    for kind, keys in functions.items():
        for example in examples.get(kind, runs):
            assert set(keys(example)) <= set(ARTICLES)
    assert "hu2011" in functions[type(pade)](pade) and not functions[type(pade)](jt.OhmicBath(1.0, poles=0))
    assert functions[type(two)](two) == ("esposito2012",)


def test_bibtex_is_well_formed():
    for key, entry in ARTICLES.items():
        author, title, *_, year, place = entry
        assert str(year)[-2:] in key and title.count("{") == title.count("}")
        # One whose number could not be looked up has none.
        assert re.fullmatch(r"10\.\d{4}/\S+|arXiv:\d{4}\.\d{5}", place) or (key, place) == ("tanimura2006", ""), key
        assert " and " in author or "," in author


def test_about_prints_versions_device_precision_and_cache():
    text = repr(jt.about())
    assert jax.__version__ in text and "precision          double" in text and "compiled programs" in text
    assert "<caption>jaxthermo</caption>" in jt.about()._repr_html_()

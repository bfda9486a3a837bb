"""The reproduced Stirling engine, and cycles inferred from works, on sizes that a test can afford."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

import jaxthermo as jt
from jaxthermo.brownian.equilibria.quasistatic import QuasiStatic, partition_of
from jaxthermo.cli import app
from jaxthermo.papers import reproduction
from jaxthermo.papers.engine import (
    claims_theory,
    cycle_inference,
    data as stirling_data,
    duals,
    inequalities,
    inference_report as stirling_inference,
    pairs,
    paper as stirling,
    quasi_static,
    relations,
    runs,
)
from jaxthermo.papers.engine.numbers import EngineNumbers, equilibrium_entropy
from jaxthermo.protocols.cycle import check_cycle

TOLERANCE = 4e-3
QUARTIC = jt.Polynomial(stirling_data.POTENTIAL)
STRENGTH = 1.5
CLASSICAL, QUANTUM = ("own", "classical", STRENGTH), ("own", "quantum", STRENGTH)
ITEMS = ["fig2", "fig3", "fig4", "fig10", "relations", "inequalities"]


@pytest.fixture(scope="module")
def reproduction_made(tmp_path_factory):
    """One coupling instead of all, coarse steps and few searches; the rest is what the command does."""
    patch = pytest.MonkeyPatch()
    scope = stirling.Scope(False, (CLASSICAL,), (0.5, 1.5), (None,), 2)
    patch.setattr(stirling, "EVERY", (CLASSICAL, QUANTUM))
    patch.setattr(stirling, "COARSE", scope)
    grids = {"classical": jt.PhaseGrid(6.0, 0.3, 12.0, 0.5), "quantum": jt.PhaseGrid(6.0, 0.35, 12.0, 0.55)}
    patch.setattr(stirling_data, "MESHES", grids)
    # One level fewer is rightly said to be too shallow at this coupling.
    patch.setattr(stirling_data, "DEPTH", 2)
    patch.setattr(runs, "TOLERANCE", TOLERANCE)
    patch.setattr(runs, "FINE_TOLERANCE", TOLERANCE)
    patch.setattr(runs, "COARSE_SEARCHES", (4, 1, 0.25))
    out = tmp_path_factory.mktemp("stirling")
    made = reproduction.reproduce(stirling.PAPER, out, items=ITEMS)
    patch.undo()
    return out, made


def run_of(made, what, case):
    cycle, kind, strength = case
    return made[1].made.data[f"stirling {what}, {cycle} cycle, {kind}, A = {strength:g}"]


def test_reproduction_writes_what_it_says(reproduction_made):
    _, made = reproduction_made
    names = {path.name for path in made.files}
    figures = {f"stirling_{name}.{kind}" for name in ITEMS[:4] for kind in ("png", "svg")}
    assert names == figures | {
        "stirling_run.zarr",
        "stirling_potentials.zarr",
        "stirling_relations.md",
        "stirling_inequalities.md",
    }
    assert all(path.exists() for path in made.files)


def test_no_cycle_is_called_the_papers(reproduction_made):
    _, made = reproduction_made
    text = made.page.read_text()
    assert "A cycle of our own, period 20" in text and "neither is the paper&#x27;s" in text
    assert "not the paper's own" in stirling_data.LABELS["inferred"]


def test_stored_cycles_are_labelled_and_periodic(reproduction_made):
    out, _ = reproduction_made
    for case in (CLASSICAL, QUANTUM):
        stored = xarray.open_zarr(out / "stirling_run.zarr", group=f"own_{case[1]}_1.5", consolidated=False)
        assert stored.attrs["status"] == "ok" and stored.residual < TOLERANCE
        assert abs(float(stored.X[-1] - stored.X[0])) < TOLERANCE
        np.testing.assert_array_equal(stored.X, run_of(reproduction_made, "run", case).X)
        assert all(stored[name].attrs["units"] and stored[name].attrs["long_name"] for name in stored.variables)
        # The period closes, so what work puts in, heat takes out.
        assert float(stored.work) == pytest.approx(-float(stored.heat), abs=TOLERANCE)


def test_searched_potentials_are_closed_and_below_the_quasi_static_ones(reproduction_made):
    data = run_of(reproduction_made, "potentials", CLASSICAL)
    assert abs(float(data.m_entropy[-1] - data.m_entropy[0])) < TOLERANCE
    assert (data.planck[data.searched.values].values <= data.planck_upper.values + 1e-12).all()
    # The equilibrium's own variables, from derivatives of the partition function, against its exact means.
    planck = partition_of(stirling_data.oscillator("classical", STRENGTH))
    U, X, _ = jax.vmap(planck.means)(jnp.asarray(data.beta.values), jnp.asarray(data.x.values))
    np.testing.assert_allclose(data.U_equilibrium, U, rtol=1e-10)
    np.testing.assert_allclose(data.X_equilibrium, X, rtol=1e-10)
    entropy = np.asarray(data.planck_qst) + data.beta.values * (U - data.x.values * X)
    np.testing.assert_allclose(equilibrium_entropy(data), entropy, rtol=1e-10)


def test_relations_hold_and_a_wrong_one_would_not(reproduction_made):
    data = run_of(reproduction_made, "potentials", CLASSICAL)
    for along in (relations.out_of_equilibrium(data), relations.quasi_static(data)):
        for residual, rule in relations.residuals(along).values():
            assert residual < max(3e-3, 3.0 * rule)
    # Without the entropy produced the relation of the Planck potential fails.
    still = relations.out_of_equilibrium(data.assign(entropy_produced=0.0 * data.entropy_produced))
    assert relations.residuals(still)["planck"][0] > 0.1
    assert "dF" in relations.text({CLASSICAL: data})


def test_inequalities_have_slack_along_the_cycle(reproduction_made):
    data = run_of(reproduction_made, "potentials", CLASSICAL)
    found = {CLASSICAL: inequalities.slacks(data, False)}
    gap = float((data.planck[data.searched.values].values - data.planck_lower).max())
    for name in inequalities.TABLES:
        # Exact for the bound; a search ends above the true minimum by at most its distance from the bound.
        assert inequalities.smallest(found, "classical", name, "bound") > -1e-6
        # What the proof in App. D does is never below, whatever the search found.
        assert inequalities.smallest(found, "classical", name, "jump") > -1e-9
        assert inequalities.smallest(found, "classical", name) > -gap / float(data.beta.min())
    assert inequalities.smallest(found, "classical", "planck") > 0.0
    # At equal U and X the condition is the proof's own: a search of low order that may not jump misses it.
    slack = found[CLASSICAL].slack.sel(potential="m_entropy")
    assert float(slack.sel(value="searched").min()) < 0.0 <= float(slack.sel(value="jump").min()) + 1e-9
    assert np.isnan(inequalities.smallest(found, "quantum", "massieu"))
    assert "not in this run" in inequalities.text(found)


def test_potentials_of_extensive_variables_are_those_of_the_equilibrium_that_has_them():
    planck = QuasiStatic(partition_of(stirling_data.oscillator("classical", 1.0)), None)
    beta, x = np.array([0.5, 1.0, 2.5]), np.array([1.5, -0.5, 0.2])
    value = np.asarray(jax.vmap(planck)(beta, x))
    U, X, _ = (np.asarray(part) for part in jax.vmap(planck.partition.means)(beta, x))
    known = jt.thermo.from_planck(value, beta, x, U, X)
    # Started elsewhere, each ends at the same state.
    at = {"beta": beta * 1.3, "U": U, "X": X, "S": known.m_entropy}
    for name, start in (
        ("massieu", beta / at["beta"]),
        ("m_entropy", np.ones(3)),
        ("p_entropy", beta * x / (at["beta"] * x)),
        ("internal_energy", np.ones(3)),
        ("enthalpy", np.ones(3)),
    ):
        begin = {**at, "x": x * start}
        if name in ("massieu",):
            begin["beta"], begin["x"] = beta, x + 0.3
        found = duals.quasi_static_value(name, planck, begin)
        np.testing.assert_allclose(found, getattr(known, name), rtol=1e-9, err_msg=name)


def test_mixtures_of_equilibria_are_concave():
    slack, beta = pairs._equilibria(np.random.default_rng(0), 20)
    assert np.all(slack > -1e-12) and slack.max() > 1e-2 and np.all((beta > 0.4) & (beta < 2.5))


def test_quasi_static_work_is_a_quadrature_and_classically_independent_of_the_coupling():
    found = quasi_static.works(None, (0.5, 1.5), 2)
    beta, x, weight = quasi_static.path_of(stirling_data.our_cycle(), 2)
    planck = partition_of(stirling_data.oscillator("classical", 1.0))
    X = np.asarray(jax.vmap(planck.means)(beta, x)[1])
    np.testing.assert_allclose(found.work, -np.sum(X * weight), rtol=1e-6)
    assert weight.sum() == pytest.approx(0.0, abs=1e-14)
    # docs/brownian.md: -0.11938.
    beta, x, weight = quasi_static.path_of(stirling_data.our_cycle(), 6)
    assert -np.sum(np.asarray(jax.vmap(planck.means)(beta, x)[1]) * weight) == pytest.approx(-0.11938, abs=1e-5)


def test_claims_about_laws_agree(reproduction_made, monkeypatch):
    monkeypatch.setattr(claims_theory, "FIRST_LAW", TOLERANCE)
    cycles = {case: run_of(reproduction_made, "run", case) for case in (CLASSICAL, QUANTUM)}
    searched = {CLASSICAL: run_of(reproduction_made, "potentials", CLASSICAL)}
    slacks = {CLASSICAL: inequalities.slacks(searched[CLASSICAL], False)}
    given = EngineNumbers(cycles, searched, slacks, xarray.Dataset(), {}, xarray.Dataset(), {}, xarray.Dataset())
    judged = {claim.where: claim.judge(given) for claim in claims_theory.CLAIMS if claim.item not in LATER}
    assert len(judged) >= 10
    for where, verdict in judged.items():
        assert verdict.holds is True, (where, verdict)
    assert given.absorbed(*CLASSICAL) > 0 and np.isnan(given.efficiency(*CLASSICAL))


# Claims that need further calculations.
LATER = ("mixing", "quasi_static")


def test_longer_isothermal_strokes_leave_the_others_alone():
    cycle = runs.slower(stirling_data.our_cycle())
    assert float(cycle.period) == 30.0
    np.testing.assert_allclose(cycle.period * cycle.strokes, [10.0, 5.0, 10.0, 5.0])


def test_a_cycle_is_inferred_from_works_that_a_known_cycle_did(monkeypatch):
    monkeypatch.setattr(cycle_inference, "STEPS", 2)
    monkeypatch.setattr(cycle_inference, "FINE_STEPS", 2)
    grid = jt.PhaseGrid(6.0, 0.6, 11.0, 0.8)
    models = [jt.classical_oscillator(QUARTIC, strength, grid) for strength in (0.7, 1.3)]
    start, low, high = (np.array([row[i] for row in cycle_inference.PARAMETERS]) for i in (1, 2, 3))
    known = cycle_inference.cycle_from(jnp.asarray(start + 0.05 * (high - start)))

    @eqx.filter_jit
    def turn(model, cycle):
        return jt.run_cycle(model, cycle, 1e-7, points=2, steps=2)

    def work(model, cycle):
        return float(turn(model, cycle).work), "ok"

    targets = [work(model, known)[0] for model in models]
    scale = 1e-4
    first = np.array([work(model, cycle_inference.cycle_from(jnp.asarray(start)))[0] for model in models])
    fit = cycle_inference.infer_cycle(models, targets, [scale, scale], work, starts=2, corrections=0, max_evaluations=4)
    # Gauss-Newton from nearby: a few steps take nearly all of the misfit away.
    assert np.abs(fit.residuals).max() < 0.2 * np.abs((first - targets) / scale).max()
    assert set(fit.parameters) == set(cycle_inference.NAMES)
    assert np.all((np.array(list(fit.parameters.values())) >= low) & (np.array(list(fit.parameters.values())) <= high))
    # Two works fix two directions; the fit says how sharply, and which one least.
    assert fit.singular_values.shape == (2,) and fit.singular_values[0] >= fit.singular_values[1] > 0
    assert np.linalg.norm(list(fit.flat.values())) == pytest.approx(1.0)


FITTED = jt.PhaseGrid(6.0, 0.3, 10.0, 0.3)
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "kind, strength",
    [("classical", a) for a in stirling_data.STRENGTHS]
    + [pytest.param("quantum", a, marks=SLOW) for a in stirling_data.STRENGTHS],
)
def test_the_inferred_cycle_has_the_works_of_table_4(kind, strength):
    printed = stirling_data.TABLE_4[kind, strength]
    if kind == "classical":
        model = jt.classical_oscillator(QUARTIC, strength, stirling_data.MESHES[kind])
    else:
        model = jt.quantum_oscillator(QUARTIC, jt.OhmicBath(strength, 2, 3), grid=FITTED)
    # The sharpest entry is half a digit of 5e-6, a third of what a tolerance of 1e-5 allows.
    run = jt.run_cycle(model, stirling_data.inferred_cycle(), tol=1e-6, points=4)
    assert run.outcome == "ok"
    if kind == "quantum" and strength > 1.0:
        # The last members are large here, but hold little density: one more level moves the work by 1e-8.
        deeper = eqx.tree_at(lambda o: o.bath, model, model.bath.with_depth(4))
        more = jt.run_cycle(deeper, stirling_data.inferred_cycle(), tol=1e-6, points=4)
        np.testing.assert_allclose(more.work, run.work, atol=1e-7)
    assert abs(run.work - printed.work) < printed.rounding


def test_every_point_of_the_inference_family_is_a_cycle():
    low, high = (np.array([row[i] for row in cycle_inference.PARAMETERS]) for i in (2, 3))
    rng = np.random.default_rng(1)
    inside = rng.uniform(size=(200, len(low)))
    corners = rng.integers(0, 2, size=(200, len(low)))
    for point in np.concatenate([inside, corners]):
        check_cycle(cycle_inference.cycle_from(jnp.asarray(low + point * (high - low))))


def test_a_ramp_of_x_may_end_in_the_next_stroke():
    theta = np.array([row[1] for row in cycle_inference.PARAMETERS])
    theta[cycle_inference.NAMES.index("hot_finish")] = 1.25
    cycle = cycle_inference.cycle_from(jnp.asarray(theta))
    hot, cooling = np.asarray(cycle.period * cycle.strokes)[:2]
    assert float(cycle.spans()[1][0]) == pytest.approx(hot + 0.25 * cooling, rel=1e-12)


def test_bad_input_of_the_inference_is_named(tmp_path):
    model = jt.classical_oscillator(QUARTIC, 1.0)
    with pytest.raises(ValueError, match="one common length"):
        cycle_inference.infer_cycle([model], [0.1, 0.2], [1.0, 1.0], lambda *_: (0.0, "ok"))
    with pytest.raises(ValueError, match="must have a grid each"):
        cycle_inference.infer_cycle([model], [0.1], [1.0], lambda *_: (0.0, "ok"))
    result = CliRunner().invoke(app, ["infer-protocol", "--thermostat", "odd", "--out", str(tmp_path)])
    assert result.exit_code == 2 and "`thermostat` must be one of symmetric, earlier, but is odd" in result.output


def test_the_record_of_a_fit_is_labelled_inferred():
    def fit(residual, status="ok"):
        return cycle_inference.Fit(
            cycle=stirling_data.our_cycle(),
            parameters={"beta_hot": 0.5},
            works=np.array([-1.4e-2]),
            statuses=(status,),
            residuals=np.array([residual]),
            singular_values=np.array([2.0]),
            flat={"beta_hot": 1.0},
            evaluations=3,
        )

    record = json.loads(json.dumps(stirling_inference._record([("classical", 0.5)], fit(8.0), "symmetric")))
    assert record["label"] == "inferred" and record["thermostat"] == "symmetric"
    assert record["parameters"] == {"beta_hot": 0.5} and "fit_depth" in record["provenance"]["parameters"]
    assert "No member of this family" in stirling_inference._verdict(fit(8.0))
    assert "within their rounding (largest 0.50" in stirling_inference._verdict(fit(-0.5))
    # A work that its own run distrusts proves nothing, however well it fits.
    assert "nothing is concluded" in stirling_inference._verdict(fit(0.5, "grid too small"))

"""The reproduced Stirling engine, and cycles inferred from works, on sizes that a test can afford."""

import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

import jaxthermo as jt
from jaxthermo.brownian import planck_table
from jaxthermo.cli import app
from jaxthermo.papers.engine import cycle_inference
from jaxthermo.papers.engine import data as stirling_data
from jaxthermo.papers.engine import inference_report as stirling_inference
from jaxthermo.papers.engine import report as stirling
from jaxthermo.protocols.cycle import check_cycle

TOLERANCE = 4e-3
QUARTIC = jt.Polynomial(stirling_data.POTENTIAL)


@pytest.fixture(scope="module")
def reproduction(tmp_path_factory):
    """One coupling instead of all, and a coarse step; the rest is what the command does."""
    patch = pytest.MonkeyPatch()
    patch.setattr(stirling, "QUICK_STRENGTHS", (1.5,))
    patch.setattr(stirling_data, "QUICK_TOLERANCE", TOLERANCE)
    patch.setattr(stirling_data, "SEARCH_DEPTH", 1)
    patch.setattr(stirling_data, "SEARCH_STEP", 0.25)
    patch.setattr(planck_table, "BETA_NODES", 6)
    patch.setattr(planck_table, "RESOLVED", 3e-2)
    patch.setenv("JAXTHERMO_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setattr(stirling_data, "QUICK_GRID", jt.PhaseGrid(6.0, 0.35, 12.0, 0.55))
    out = tmp_path_factory.mktemp("stirling")
    made = stirling.reproduce(out, quick=True)
    patch.undo()
    return out, made


def test_reproduction_writes_what_it_says(reproduction):
    _, made = reproduction
    names = {path.name for path in made.files}
    figures = {f"stirling_fig{n}.{kind}" for n in (2, 3, 4, 5) for kind in ("png", "svg")}
    assert names == figures | {"stirling_cycles.zarr", "stirling_table.md"}
    assert all(path.exists() for path in made.files)


def test_our_cycle_is_never_called_the_papers(reproduction):
    out, _ = reproduction
    text = (out / "stirling_table.md").read_text()
    assert "a cycle of our own" in text and "cannot be compared with Table 4" in text


def test_stored_cycles_are_labelled_and_periodic(reproduction):
    out, made = reproduction
    for kind in ("classical", "quantum"):
        stored = xarray.open_zarr(out / "stirling_cycles.zarr", group=f"{kind}_1.5", consolidated=False)
        # A quick run has two levels, which at this coupling are too few for what `run_cycle` promises, and says so.
        expected = {"classical": ("ok",), "quantum": ("ok", "hierarchy too shallow")}[kind]
        assert stored.attrs["status"] in expected and stored.residual < TOLERANCE
        assert abs(float(stored.X[-1] - stored.X[0])) < TOLERANCE
        np.testing.assert_array_equal(stored.X, made.data[kind, 1.5].X)
        assert all(stored[name].attrs["units"] and stored[name].attrs["long_name"] for name in stored.variables)
        # The period closes, so what work puts in, heat takes out.
        assert float(stored.work) == pytest.approx(-float(stored.heat), abs=TOLERANCE)


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
        model = jt.classical_oscillator(QUARTIC, strength, FITTED)
    else:
        model = jt.quantum_oscillator(QUARTIC, jt.OhmicBath(strength, 2, 3), grid=FITTED)
    run = jt.run_cycle(model, stirling_data.inferred_cycle(), tol=1e-5, points=4)
    assert run.outcome == "ok"
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


def test_searched_potentials_are_stored_and_close(reproduction):
    out, made = reproduction
    for kind in ("classical", "quantum"):
        data = made.searched[kind, 1.5]
        assert abs(float(data.m_entropy[-1] - data.m_entropy[0])) < TOLERANCE
        assert (data.planck[data.searched.values].values <= data.planck_upper.values + 1e-12).all()
        stored = xarray.open_zarr(out / "stirling_cycles.zarr", group=f"potentials_{kind}_1.5", consolidated=False)
        np.testing.assert_array_equal(stored.planck, data.planck)
    assert "from the searches" in (out / "stirling_table.md").read_text()

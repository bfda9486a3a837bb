"""Experiments in TOML and the commands `scan` and `show`: what is right runs, what is wrong is one message."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

import jaxthermo as jt
from jaxthermo.cli import app
from jaxthermo.experiments import experiment
from jaxthermo.experiments.schema import ConfigError
from jaxthermo.scans import with_units

RING = """[model]
kind = "potts"
q = 3
prefactor = 0.1

[quantity]
name = "stationary_work"

[axes]
beta = { start = 0.5, stop = 2.5, count = 9, units = "1/energy" }
force = [0.5, 1.0]

[scan]
store = "here.zarr"
chunk = 6
"""
ENGINE = """[model]
kind = "classical_oscillator"
potential = [0, 0, 0.5]
strength = 1.0
grid = { q_max = 5.0, dq = 0.5, p_max = 5.0, dp = 0.5 }
[quantity]
name = "cycle_work"
beta_hot = 0.8
x_start = 0.2
x_end = 0.6
points = 3
steps = 1
[zipped]
period = [4.0, 6.0]
beta_cold = [1.0, 1.2]
"""


@pytest.fixture(scope="module")
def command():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def write(tmp_path):
    def write(text, name="experiment.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def cheap(monkeypatch):
    """The exact work current of the uniform state in the place of what the quantity computes."""

    def work(beta, force):
        return {"value": jt.potts.uniform_work_current(jt.PottsRing(3, -1.0, force, 0.1), beta), "count": 7}

    monkeypatch.setattr(experiment, "build", lambda *tables: with_units(work, value="energy/time"))


def exact(data):
    return 0.2 * data.force * np.sinh(data.beta * data.force / 2)


def test_an_experiment_runs_from_its_file_to_a_picture(command, write, tmp_path, cheap):
    path = write(RING)
    dry = command("scan", path, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert re.search(r"lanes +18 \(9 x 2\)", dry.output) and re.search(r"chunks +3 of 6 lanes", dry.output)
    assert "memory" in dry.output and "time" in dry.output
    assert not (tmp_path / "here.zarr").exists()

    ran = command("scan", path)
    assert ran.exit_code == 0, ran.output
    assert "18 ok" in ran.output
    data = xarray.open_zarr(tmp_path / "here.zarr", consolidated=False)
    np.testing.assert_allclose(data.value, exact(data).transpose("beta", "force"), rtol=1e-13)

    again = command("scan", path)
    assert again.exit_code == 2 and "go on with it by --resume" in again.output
    resumed = command("scan", path, "--resume")
    assert resumed.exit_code == 0 and "3 of 3 chunks found in " in resumed.output

    shown = command("show", tmp_path / "here.zarr", "--out", tmp_path / "figures")
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("Reads 3 chunks, ")
    assert "3 of 3 chunks" in shown.output and "axis beta: 9 values, 0.5 to 2.5" in shown.output
    assert "18 ok" in shown.output and "[energy/time]" in shown.output
    assert (tmp_path / "figures" / "here.png").stat().st_size > 5000


def test_a_scan_that_is_not_finished_is_shown_too(command, write, tmp_path, cheap):
    assert command("scan", write(RING)).exit_code == 0
    store = tmp_path / "here.zarr"
    (store / "scan_record" / "chunks" / "00000001.json").unlink()
    for name in ("status", "value", "count"):
        (store / name / "c" / "1" / "0").unlink()
    shown = command("show", store, "--out", tmp_path)
    assert shown.exit_code == 0 and "2 of 3 chunks" in shown.output
    assert "12 ok, 6 not computed" in shown.output and "count: 7 to 7" in shown.output


def test_damage_is_said_and_not_drawn(command, write, tmp_path, cheap):
    assert command("scan", write(RING)).exit_code == 0
    chunk = next(p for p in (tmp_path / "here.zarr" / "value" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(b"?" + chunk.read_bytes()[1:])
    shown = command("show", tmp_path / "here.zarr", "--out", tmp_path / "figures")
    assert shown.exit_code == 2 and "damaged chunks: 1" in shown.output
    assert not (tmp_path / "figures").exists()


def test_what_is_no_store_is_not_shown(command, tmp_path):
    shown = command("show", tmp_path)
    assert shown.exit_code == 2 and "is not the store of a scan" in shown.output


def test_stationary_work_is_that_of_the_attractors(command, write, tmp_path):
    """Below beta = 3 the uniform state, whose work current is exact; at 3, where it turns unstable, it is undecided.

    The lanes beside those are as good as without them.
    """
    text = RING.replace('stop = 2.5, count = 9, units = "1/energy"', "stop = 3.0, count = 6")
    ran = command("scan", write(text.replace('work"\n', 'work"\nmax_rounds = 20\n')))
    assert ran.exit_code == 0, ran.output
    assert "10 ok, 2 undecided" in ran.output
    data = xarray.open_zarr(tmp_path / "here.zarr", consolidated=False).load()
    np.testing.assert_array_equal(data.status, [[0, 0]] * 5 + [[jt.Status.undecided] * 2])
    # An undecided lane at the transition has the averages of the state that it creeps towards.
    np.testing.assert_allclose(data.work_current, exact(data).transpose("beta", "force"), rtol=1e-12)
    assert {data[name].attrs["units"] for name in ("period", "work_current")} == {"time", "energy/time"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_cycle_work_is_that_of_run_cycle(write):
    described = experiment.load(write(ENGINE))
    data = jt.scan(described.function(), described.axes)
    oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(5.0, 0.5, 5.0, 0.5))
    cycle = jt.StirlingCycle(0.8, 1.2, 0.2, 0.6, 6.0)
    run = jt.run_cycle(oscillator, cycle, 1e-8, points=3, steps=1)
    np.testing.assert_allclose(data.work[1], run.work, rtol=1e-6)
    np.testing.assert_allclose(data.heat[1], run.heat, rtol=1e-6)
    assert data.work.dims == ("period_beta_cold",) and int(data.status[1]) == int(run.status)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::jaxthermo._results.JaxthermoWarning")
def test_minimum_work_and_fold_are_those_of_the_library(write):
    model = ENGINE.split("[quantity]")[0]
    text = '[quantity]\nname = "minimum_work"\nbeta_start = 0.9\nx_start = 0.1\norder = 2\ndt = 0.25\nx = 0.4\n'
    described = experiment.load(write(model + text + "[axes]\nbeta = [1.0, 1.1]\n"))
    data = jt.scan(described.function(), described.axes)
    oscillator = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(5.0, 0.5, 5.0, 0.5))
    start = jt.equilibrium(oscillator, 0.9, 0.1)
    found = jt.minimum_work(oscillator, start, 1.1, 0.4, order=2, dt=0.25)
    np.testing.assert_allclose(data.value[1], found.value, atol=1e-9)
    np.testing.assert_allclose(data.lower[1], found.lower, rtol=1e-10)
    assert data.value.attrs["units"] == "1"

    ring = '[model]\nkind = "potts"\nq = 3\n[quantity]\nname = "fold"\n[axes]\nforce = [0.5, 1.0]\n'
    described = experiment.load(write(ring))
    data = jt.scan(described.function(), described.axes)
    np.testing.assert_allclose(data.beta[1], jt.potts.fold_beta(jt.PottsRing(3, -1.0, 1.0)), rtol=1e-12)


class TestWrong:
    """One message with file, line and key, and exit code 2, before anything is built."""

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("[model]", "[model", "is not TOML: .*line 1"),
            ('kind = "potts"', 'kind = "ising"', "line 2: `model.kind` must be one of potts"),
            ("q = 3", "q = 2.5", "line 3: `model.q` must be an integer from 2"),
            ("q = 3", "q = true", "line 3: `model.q` must be an integer"),
            ("q = 3", "", "line 1: `model.q` is missing"),
            ("prefactor = 0.1", "prefactor = -0.1", "line 4: `model.prefactor` must be between 0 and inf"),
            ("prefactor = 0.1", "prefacter = 0.1", "line 4: `model.prefacter` is unknown here; known are"),
            ("prefactor = 0.1", 'rates = "eval"', "line 4: `model.rates` must be one of arrhenius"),
            ("stationary_work", "cycle_work", "line 7: `quantity.name` must be of classical_oscillator"),
            ("stationary_work", "rm", "line 7: `quantity.name` must be one of"),
            ("1/energy", "K", "line 10: `axes.beta.units` must be one of 1/energy, but is 'K'"),
            ("count = 9", "count = 0", "line 10: `axes.beta.count` must be an integer from 1"),
            ("count = 9", "count = 1e3", "line 10: `axes.beta.count` must be an integer"),
            ("start = 0.5", "start = nan", "line 10: `axes.beta.start` must be a finite number, but is nan"),
            ("start = 0.5", "start = -0.5", "line 10: `axes.beta` must be >= 0, but is -0.5"),
            ("start = 0.5, ", "", "line 10: `axes.beta.start` is missing"),
            ("count = 9", "count = 9, values = [1]", "line 10: `axes.beta.count` must not stand beside"),
            ("[0.5, 1.0]", "[]", "line 11: `axes.force.values` must be a list of 1 to"),
            ("[0.5, 1.0]", '["a"]', "line 11: `axes.force.values` must be a list"),
            ("[0.5, 1.0]", "1.0", "line 11: `axes.force` must be a table"),
            ("force =", "q =", "line 11: `axes.q` is no axis of this quantity"),
            ("[axes]", "[axis]", "line 9: `axis` is unknown here; known are model"),
            ("[scan]", "[zipped]\nforce = [1]\n[scan]", "line 14: `zipped.force` is an axis already"),
            ("chunk = 6", "chunk = 0", "line 15: `scan.chunk` must be an integer from 1"),
            ('"here.zarr"', '""', "line 14: `scan.store` must be a path"),
            ("count = 9", "count = 10000000", None),
        ],
    )
    def test_is_one_message(self, command, write, tmp_path, old, new, words):
        assert old in RING
        path = write(RING.replace(old, new))
        if words is None:
            assert experiment.load(path).axes["beta"].size == 10_000_000
            return
        result = command("scan", path)
        assert result.exit_code == 2
        assert re.search(words, result.output), result.output
        assert str(path) in result.output and "Traceback" not in result.output
        assert [p.name for p in tmp_path.iterdir()] == ["experiment.toml"]

    def test_all_that_is_wrong_is_said_at_once(self, command, write):
        text = (
            RING.replace("prefactor = 0.1", "prefacter = -1")
            .replace("q = 3", "q = 2.5")
            .replace("chunk = 6", "chunk = 0")
        )
        said = command("scan", write(text.replace("count = 9", "count = 0").replace("force =", "forse ="))).output
        for words in (
            "3: `model.q` must",
            "4: `model.prefacter` is unknown",
            "did you mean prefactor?",
            "10: `axes.beta",
        ):
            assert words in said, said
        assert "11: `axes.forse` is no axis" in said and "15: `scan.chunk` must" in said
        assert "missing" not in said

    def test_axes_that_are_empty_or_too_many(self, write):
        with pytest.raises(ConfigError, match="`axes` is missing or empty"):
            experiment.load(write(RING.split("[axes]")[0]))
        large = "[axes]\nbeta = {start=0, stop=1, count=100000}\nforce = {start=0, stop=1, count=100000}\n"
        with pytest.raises(ConfigError, match="must make at most 1e\\+09 lanes, but makes 1e\\+10"):
            experiment.load(write(RING.split("[axes]")[0] + large))

    def test_a_value_that_is_an_axis_too(self, write):
        with pytest.raises(ConfigError, match=r"line 8: `quantity\.beta` must not be set"):
            experiment.load(write(RING.replace('work"\n', 'work"\nbeta = 1.0\n')))
        with pytest.raises(ConfigError, match=r"line 4: `model\.force` must not be set"):
            experiment.load(write(RING.replace("prefactor = 0.1", "force = 0.1")))
        with pytest.raises(ConfigError, match=r"line 4: `model\.strength` must not be set"):
            experiment.load(write(ENGINE + "strength = [1.0, 1.2]\n"))

    def test_what_is_an_axis_need_not_be_set(self, write):
        text = ENGINE.replace("strength = 1.0\n", "")
        assert "strength" in experiment.load(write(text + "[axes]\nstrength = [1.0, 1.2]\n")).axes
        with pytest.raises(ConfigError, match=r"line 1: `model\.strength` is missing"):
            experiment.load(write(text))

    def test_what_the_library_refuses_is_said_of_the_file_too(self, command, write):
        result = command("scan", write(ENGINE.replace("q_max = 5.0", "q_max = 1e-5")))
        assert result.exit_code == 2 and "experiment.toml, line 5: `q_max` / `dq` must give" in result.output
        pair = '[model]\nkind = "potts"\nq = 2\n[quantity]\nname = "fold"\n[axes]\nforce = [0.5]\n'
        result = command("scan", write(pair))
        assert result.exit_code == 2 and "experiment.toml: `ring` must have q >= 3 for a fold" in result.output

    def test_a_file_that_is_not_there(self, command, tmp_path):
        result = command("scan", tmp_path / "none.toml")
        assert result.exit_code == 2 and "does not exist" in result.output

    def test_bytes_that_are_no_text(self, command, tmp_path):
        (tmp_path / "e.toml").write_bytes(b"\xff\xfe")
        result = command("scan", tmp_path / "e.toml")
        assert result.exit_code == 2 and "must be text in UTF-8" in result.output


scalars = st.one_of(
    st.integers(),
    st.sampled_from(["0", "-1", "1e400", "nan", "inf", "-inf", "true", '"x"', '"../../etc"', "1979-05-27", "9" * 5000]),
    st.floats(),
    st.text(max_size=8).map(lambda s: repr(s)),
)
values = st.recursive(
    scalars.map(str),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(st.sampled_from(["start", "stop", "count", "units", "q_max"]), inner), max_size=3).map(
            lambda items: "{" + ", ".join(f"{k} = {v}" for k, v in items) + "}"
        ),
    ),
    max_leaves=4,
)


@st.composite
def mutated(draw):
    """A right experiment with some lines replaced, doubled or dropped, or any text at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=200))
    lines = draw(st.sampled_from([RING, ENGINE])).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0 and "=" in lines[n]:
            lines[n] = lines[n].split("=")[0] + "= " + draw(values)
        elif kind == 1:
            lines[n] = draw(st.sampled_from(["q", "beta", "store", "chunk", "name", "x.y", "[model]", "[[axes]]"]))
        elif kind == 2:
            lines.insert(n, lines[draw(st.integers(0, len(lines) - 1))])
        else:
            del lines[n]
            lines = lines or [""]
    return "\n".join(lines)


@given(text=mutated())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_configuration_ends_in_a_traceback(text, command, tmp_path, monkeypatch):
    """Up to where the function is built, which the machine may take long over; that is another test's."""
    monkeypatch.setattr(experiment, "build", lambda *tables: lambda **axes: sum(jnp.asarray(v) for v in axes.values()))
    monkeypatch.setattr(
        "jaxthermo.experiments.report.dry_run", lambda described: f"{described.axes} {described.function()}"
    )
    path = tmp_path / "e.toml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    result = command("scan", path, "--dry-run")
    assert result.exit_code in (0, 1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), text
    assert result.exit_code == 0 or str(path) in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["e.toml"]

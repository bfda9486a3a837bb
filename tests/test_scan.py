"""`jt.scan` in memory: what it returns, what it refuses, and how often it compiles."""

import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from jaxtyping import Array

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo._results import AbstractResult, quantity
from jaxthermo.scans import with_units
from jaxthermo.scans.axes import axes_for
from jaxthermo.scans.compiled import Chunks, chosen_width
from jaxthermo.scans.layout import Layout, grouped, joined, layout_for
from jaxthermo.scans.memory import bytes_per_lane
from jaxthermo.scans.prepared import parts_in_a_chunk
from jaxthermo.scans.template import RECORD
from jaxthermo.scans.traced import trace


def work(beta, force):
    """The exact work current of the uniform state: cheap, and known."""
    return jt.potts.uniform_work_current(jt.PottsRing(3, -1.0, force, 0.1), beta)


BETAS, FORCES = np.linspace(0.1, 3.0, 7), np.linspace(0.0, 2.0, 5)


def test_a_product_is_the_loop_over_its_lanes():
    """To 1e-15: the same operations, vectorised."""
    data = jt.scan(work, {"beta": BETAS, "force": FORCES}, chunk=4)
    exact = 2 * 0.1 * FORCES * np.sinh(BETAS[:, None] * FORCES / 2)
    np.testing.assert_allclose(data.value, exact, rtol=1e-14)
    loop = [[float(work(jnp.asarray(b), jnp.asarray(f))) for f in FORCES] for b in BETAS]
    np.testing.assert_allclose(data.value, loop, rtol=1e-15)
    assert data.value.dims == ("beta", "force")
    np.testing.assert_array_equal(data.beta, BETAS)
    np.testing.assert_array_equal(data.force, FORCES)


def test_everything_is_labelled():
    data = jt.scan(with_units(work, value="energy/time", force="energy"), {"beta": BETAS, "force": FORCES})
    assert all(data[name].attrs["units"] and data[name].attrs["long_name"] for name in data.variables)
    assert (data.value.attrs["units"], data.beta.attrs["units"]) == ("energy/time", "1/energy")
    assert data.status.attrs["flag_meanings"].split() == [member.name for member in Status]
    assert data.status.attrs["flag_values"] == list(Status)
    assert {"jaxthermo_version", "git_commit", "device_kind", "parameters"} <= set(data.attrs)
    assert (data.status == Status.ok).all()


def test_units_of_an_axis_may_come_with_it():
    axis = xarray.DataArray(BETAS, dims="beta", attrs={"units": "mol/kJ"})
    assert jt.scan(lambda beta: beta, {"beta": axis}).beta.attrs["units"] == "mol/kJ"


@pytest.mark.parametrize("chunk", [1, 4, 7, 1000, None])
def test_axes_that_run_together(chunk):
    rng = np.random.default_rng(0)
    beta, force = rng.uniform(0.1, 3.0, 13), rng.uniform(0.0, 2.0, 13)
    data = jt.scan(work, {("beta", "force"): (beta, force)}, chunk=chunk)
    assert data.value.dims == ("beta_force",)
    np.testing.assert_array_equal(data.beta, beta)
    np.testing.assert_allclose(data.value, 2 * 0.1 * force * np.sinh(beta * force / 2), rtol=1e-14)


def test_a_function_is_traced_and_compiled_once(caplog):
    traces = []

    def counted(beta, force):
        traces.append(1)
        return work(beta, force)

    with jax.log_compiles(), caplog.at_level("WARNING"):
        jt.scan(counted, {"beta": BETAS, "force": FORCES}, chunk=3)
    assert len(traces) == 1
    assert sum("Finished XLA compilation" in r.message and "many" in r.message for r in caplog.records) == 1


def test_trees_become_variables():
    def function(a):
        return {"low": {"x": a, "y": jnp.stack([a, 2 * a])}, "n": jnp.asarray(3), "on": a > 0.5}

    data = jt.scan(function, {"a": [0.0, 1.0]})
    assert set(data.data_vars) == {"status", "low_x", "low_y", "n", "on"}
    np.testing.assert_array_equal(data.low_y, [[0, 0], [1, 2]])
    assert data.on.dtype == bool and data.n.dtype.kind == "i"


def test_the_status_of_every_lane():
    """One lane of each kind, and the others as if they were alone."""

    def function(a):
        return {"y": jnp.sqrt(a), "status": jnp.where(a == 2.0, 1, 0), "converged": a != 3.0, "steps": a.astype(int)}

    data = jt.scan(function, {"a": [1.0, -1.0, 2.0, 3.0, 4.0]})
    assert data.status.values.tolist() == [0, Status.not_finite, Status.max_steps_reached, Status.not_converged, 0]
    np.testing.assert_array_equal(data.y[[0, 4]], [1.0, 2.0])
    np.testing.assert_array_equal(data.steps, [1, -1, 2, 3, 4])


def test_the_checks_of_the_library_say_which_input_is_invalid():
    """They pass over traced values, so the scan looks at what they would have refused."""
    data = jt.scan(lambda coupling: jt.potts.fold(jt.PottsRing(3, coupling, 1.0)), {"coupling": [-1.0, 0.5]})
    assert data.status.values.tolist() == [Status.ok, Status.invalid_input]
    np.testing.assert_allclose(data.beta[0], jt.potts.fold_beta(jt.PottsRing(3, -1.0, 1.0)), rtol=1e-12)


def test_a_number_of_a_result_has_the_status_of_the_result():
    """A grid that ends inside the state: the mean of q^2 is finite, and off by a third. An own status has the last
    word, and what a further transformation computes is not seen."""
    particle = jt.classical_oscillator(jt.Polynomial([0.0, 0.0, 0.5]), 1.0, jt.PhaseGrid(2.0, 0.25, 6.0, 0.5))

    def state(beta):
        return jt.equilibrium(particle, beta, 0.0)

    axes = {"beta": [0.5]}
    assert jt.scan(lambda beta: state(beta).q2, axes).status.item() == Status.grid_too_small
    assert jt.scan(lambda beta: {"q2": state(beta).q2, "status": 0 * beta}, axes).status.item() == Status.ok
    assert jt.scan(lambda beta: jax.vmap(lambda b: state(b).q2)(beta[None]), axes).status.item() == Status.ok


class Pendulum(AbstractResult):
    """A result as those of the library."""

    status: Array
    stats: dict
    time: Array = quantity("time", "time", ("time",), coordinate=True)
    angle: Array = quantity("1", "angle", ("time",), main=True)
    length: Array = quantity("length", "length of the thread")
    gap: Array | None = quantity("1", "what is not known here")


def pendulum(length):
    time = jnp.linspace(0.0, 1.0, 4)
    angle = jnp.where(length < 0, jnp.nan, jnp.cos(time / jnp.sqrt(jnp.abs(length))))
    status = jnp.where(length > 2.0, int(Status.plateau), int(Status.ok))
    return Pendulum(status, {"steps": 3, "table": jnp.zeros(2)}, time, angle, length, None)


def test_a_result_gives_its_labels_its_counts_and_its_status():
    """Its NaNs are its own matter; what has the name of an axis is kept beside it."""
    data = jt.scan(pendulum, length=[1.0, 3.0, -1.0])
    assert data.status.values.tolist() == [Status.ok, Status.plateau, Status.ok]
    assert data.angle.dims == ("length", "time") and data.angle.attrs["long_name"] == "angle"
    assert set(data.variables) == {"status", "length", "time", "angle", "result_length", "steps"}
    np.testing.assert_allclose(data.angle[0], pendulum(1.0).angle)
    np.testing.assert_array_equal(data.result_length, data.length)


def test_results_may_be_parts_of_what_a_function_returns():
    data = jt.scan(lambda length: {"a": pendulum(length), "b": pendulum(2 * length), "c": length}, length=[1.0, 1.5])
    assert data.a_angle.dims == ("length", "a_time") and data.b_length.attrs["units"] == "length"
    assert data.status.values.tolist() == [Status.ok, Status.plateau]
    np.testing.assert_array_equal(data.c, data.length)


class TestRefusals:
    """Each is one ValueError that names what is wrong, before any computation."""

    @pytest.mark.parametrize(
        ("axes", "words"),
        [
            ({}, "`axes` must be a dictionary"),
            ({"beta": []}, "axis `beta` must be one-dimensional and not empty"),
            ({"beta": 1.0}, "axis `beta` must be an array of values, but is one number"),
            ({"beta": [[1.0]]}, "axis `beta` must be one-dimensional"),
            ({"beta": [1.0, np.nan], "force": [1.0]}, "axis `beta` must be finite, but has nan"),
            ({"beta": ["a"], "force": [1.0]}, "axis `beta` must be an array of real numbers"),
            ({"beta": [1j], "force": [1.0]}, "axis `beta` must be an array of real numbers"),
            ({"beta": np.array(["2024-01-01"], "M8[D]"), "force": [1.0]}, "axis `beta` must be an array of real"),
            ({"beta": [1.0]}, "gives no \\['force'\\]"),
            ({"beta": [1.0], "force": [1.0], "q": [3]}, "but names \\['q'\\]"),
            ({("beta", "force"): ([1.0], [1.0, 2.0])}, "must have one length, but beta, force have \\[1, 2\\]"),
            ({("beta", "force"): ([1.0],)}, "must have 2 arrays"),
            ({"status": [1.0]}, "other than status"),
        ],
    )
    def test_axes(self, axes, words):
        with pytest.raises(ValueError, match=words):
            jt.scan(work, axes)

    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (lambda a: a if a > 0 else -a, "must not look at the values"),
            (lambda a: np.sin(np.asarray(a)), "must not look at the values"),
            (lambda a: float(a), "must not look at the values"),
            (lambda a: jnp.zeros(a).sum(), "must not look at the values"),
            (lambda a: xarray.DataArray(1.0), "`value` is of type DataArray"),
            (lambda a: "word", "`value` is of type str"),
            (lambda a: None, "must return arrays or numbers"),
            (lambda a: {"a": a}, "names other than those of the axes"),
            (lambda a: {"steps": jnp.stack([a, a])}, "`steps` must be one number"),
            (lambda a: jax.pure_callback(np.sin, a, a), "what jax can vmap"),
        ],
    )
    def test_functions(self, function, words):
        with pytest.raises(ValueError, match=words):
            jt.scan(function, {"a": [1.0, 2.0]})

    def test_errors_of_the_function_itself_come_with_a_note(self):
        with pytest.raises(ValueError, match="`q` must be an integer") as caught:
            jt.scan(lambda q: jt.potts.uniform_work_current(jt.PottsRing(q, -1.0, 1.0), 1.0), {"q": [3, 4]})
        assert "q as traced floats. A size, such as the number of states" in caught.value.__notes__[0]
        with pytest.raises(ZeroDivisionError):
            jt.scan(lambda a: 1 / 0, {"a": [1.0]})

    @pytest.mark.parametrize(
        "settings",
        [
            {"chunk": 0},
            {"devices": []},
            {"store": "s3://bucket/scan.zarr"},
        ],
    )
    def test_settings(self, settings):
        with pytest.raises(ValueError, match=f"`{next(iter(settings))}` must be"):
            jt.scan(lambda a: a, {"a": [1.0]}, **settings)
        with pytest.raises(ValueError, match="names it twice"):
            jt.scan(lambda a: a, {"a": [1.0]}, a=[1.0])


def lanes_of(layout):
    return np.concatenate([np.ravel_multi_index(layout.lanes(k), layout.shape) for k in range(layout.chunks)])


@pytest.mark.parametrize(("shape", "chunk"), [((7,), 3), ((20, 7), 100), ((5, 6, 7), 11), ((3, 1), 1), ((1000, 3), 7)])
def test_every_lane_is_in_one_chunk(shape, chunk):
    names = "abc"[: len(shape)]
    axes = axes_for(lambda **axes: 0.0, {name: np.arange(n) for name, n in zip(names, shape, strict=True)})
    layout = layout_for(axes, chunk)
    assert layout.width <= chunk
    np.testing.assert_array_equal(np.sort(lanes_of(layout)), np.arange(np.prod(shape)))


@pytest.mark.parametrize(
    ("shape", "part", "most"), [((7,), 2, 3), ((5, 6, 7), 11, 4), ((1000, 3), 7, 50), ((9, 4), 3, 99)]
)
def test_joined_chunks_have_the_parts_they_are_made_of(shape, part, most):
    """The same lanes in the same parts, in fewer chunks."""
    names = "abc"[: len(shape)]
    axes = axes_for(lambda **axes: 0.0, {name: np.arange(n) for name, n in zip(names, shape, strict=True)})
    plain = layout_for(axes, part)
    layout = joined(plain, most)
    assert layout.chunks < plain.chunks and layout.size <= most * plain.size

    def parts(layout):
        for chunk in range(layout.chunks):
            lanes = np.ravel_multi_index(layout.lanes(chunk), shape)
            assert len(layout.parts(chunk)) <= most
            yield from (tuple(lanes[at]) for at in layout.parts(chunk))

    assert sorted(parts(layout)) == sorted(parts(plain))


def test_a_chunk_takes_about_a_second():
    """Less where some lanes are slow or results large; and lanes that need much memory are few at a time."""
    small = trace(lambda a: jnp.sin(a), ("a",))
    layout = layout_for(axes_for(lambda a: a, {"a": np.arange(10_000.0)}), 100)
    assert parts_in_a_chunk(small, layout, [0.1, 0.1]) == 10
    assert parts_in_a_chunk(small, layout, [0.01, 0.5, 0.01]) == 4
    assert parts_in_a_chunk(small, layout, [5.0]) == 1
    large = trace(lambda a: jnp.sin(a) * jnp.arange(10_000.0), ("a",))
    assert parts_in_a_chunk(large, layout, [1e-4]) == 2**26 // (8 * 10_000 * 100)
    cpu = jax.local_devices()
    assert chosen_width(small, 6_400_000, cpu[:1]) == 2**16
    assert 8 <= chosen_width(large, 6_400_000, cpu[:1]) <= 2**24 // 80_000


def slowest(layout, steps):
    return layout.width * sum(steps[layout.lanes(k)].max() for k in range(layout.chunks))


def test_lanes_of_like_cost_run_together():
    """Steps of a product depend on its second axis, those of lanes run together on both: what is waited for is less."""
    a, b = np.arange(40.0), np.arange(30.0)
    steps = np.broadcast_to(10 + b**2, (40, 30))
    axes = axes_for(lambda a, b: a, {"a": a, "b": b})
    plain = layout_for(axes, 30)
    chosen = grouped(axes, plain, lambda index: steps[index])
    assert chosen.box[1] < plain.box[1]
    assert slowest(chosen, steps) < 0.6 * slowest(plain, steps)

    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 1, 600), rng.uniform(0, 1, 600)
    steps = 10 + 1000 * a * b
    axes = axes_for(lambda a, b: a, {("a", "b"): (a, b)})
    plain = layout_for(axes, 30)
    chosen = grouped(axes, plain, lambda index: steps[index])
    np.testing.assert_array_equal(np.sort(lanes_of(chosen)), np.arange(600))
    assert slowest(chosen, steps) < 0.7 * slowest(plain, steps)
    assert grouped(axes, plain, lambda index: np.ones(len(index[0]))) is plain


def test_grouped_lanes_come_back_in_their_order(monkeypatch):
    monkeypatch.setattr("jaxthermo.scans.prepared.TRIAL_FROM", 16)
    rng = np.random.default_rng(2)
    a, b = rng.uniform(1, 5, 200), rng.uniform(1, 5, 200)

    def slow(a, b):
        n = (a**3).astype(int)
        return {"y": jax.lax.fori_loop(0, n, lambda i, y: y + b, jnp.zeros(())), "steps": n}

    data = jt.scan(slow, {("a", "b"): (a, b)}, chunk=8)
    np.testing.assert_allclose(data.y, (a**3).astype(int) * b, rtol=1e-12)
    np.testing.assert_array_equal(data.a, a)


def test_memory_of_a_lane_counts_what_is_alive():
    """Two arrays of 1000 numbers are alive at once, of which nothing is left but their sum."""
    traced = trace(lambda a: jnp.sum(jnp.full(1000, a) * jnp.arange(1000.0)), ("a",))
    assert 16_000 <= bytes_per_lane(traced.program) <= 40_000


def test_memory_of_a_chunk_is_no_more_than_that_of_its_lanes():
    """What XLA plans, once compiled, against the estimate that a scan's chunks are sized by."""

    def work(beta, force):
        return jt.potts.uniform_work_current(jt.PottsRing(3, -1.0, force, 0.1), beta)

    def turned(a, b):
        return jnp.linalg.norm(jnp.sin(a * jnp.arange(2500.0).reshape(50, 50)) @ jnp.full(50, b))

    for function, names in ((work, ("beta", "force")), (turned, ("a", "b"))):
        traced = trace(function, names)
        planned = Chunks(traced, 256, jax.local_devices()[:1]).memory
        assert 8 * 256 <= planned <= 256 * bytes_per_lane(traced.program)


def test_a_layout_is_what_the_store_says():
    layout = Layout((5, 4), (2, 3), (np.arange(5), np.arange(4)), (2, 2))
    assert (layout.counts, layout.chunks) == ((3, 2), 6)
    assert layout.region(5) == (slice(4, 5), slice(3, 4))


@pytest.mark.parametrize("name", ["scans.md", "dask.md"])
def test_every_row_of_the_table_of_faults_names_its_tests(name):
    root = Path(__file__).parents[1]
    written = "".join(path.read_text() for path in root.glob("tests/test_scan*.py"))
    table = (root / "docs" / name).read_text().split("| fault |")[1].split("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) >= 10
    for row in rows:
        names = re.findall(r"`(\w+)`", row.split("|")[3])
        assert names and all(re.search(rf"(def|class) {name}\b", written) for name in names), row


def test_progress_is_for_terminals(monkeypatch, capsys, tmp_path):
    """Rate, time left, failed lanes and what a store held where it is wanted; not a word elsewhere."""

    def function(a):
        return jnp.where(a == 1.0, jnp.nan, a)

    jt.scan(function, {"a": np.arange(8.0)}, chunk=2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("COLUMNS", "120")
    scan = partial(jt.scan, function, {"a": np.arange(8.0)}, chunk=2, store=tmp_path / "here.zarr", progress=True)
    scan()
    shown = capsys.readouterr()
    assert shown.out == "" and "8 of 8 lanes, 0 s left, " in shown.err and "/s, 1 not finite" in shown.err
    assert "found" not in shown.err
    for left, record in enumerate(sorted((tmp_path / "here.zarr" / RECORD / "chunks").iterdir())[:2]):
        scan()
        assert f"scan: {4 - left} of 4 chunks found in {tmp_path / 'here.zarr'}, {left} to" in capsys.readouterr().err
        record.unlink()


def test_accelerators_get_fewer_and_larger_chunks():
    """As memory allows: half of what is free on the device."""

    def width(lanes, free=2**36):
        device = SimpleNamespace(platform="gpu", memory_stats=lambda: {"bytes_limit": free})
        return chosen_width(trace(lambda a: jnp.sin(a), ("a",)), lanes, [device])

    assert [width(lanes) for lanes in (100, 10_000, 10**7, 10**9)] == [100, 4096, 625_000, 2**20]
    assert 1 <= width(10**7, free=10_000) <= 10_000 // 2 // 8

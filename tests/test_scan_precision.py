"""Scans in single precision say how far they are from double precision."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import jaxthermo as jt
from jaxthermo import Status
from jaxthermo.scans import StoreError
from jaxthermo.scans.prepared import SAMPLE

AXES = {"beta": np.linspace(0.1, 3.0, 20), "force": np.linspace(0.1, 1.0, 10)}


def work(beta, force):
    return jt.potts.uniform_work_current(jt.PottsRing(3, -1.0, force, 0.1), beta)


def report_of(data):
    assert data.attrs["precision"] == "single"
    return json.loads(data.attrs["single_precision"])


def test_the_largest_difference_is_that_of_all_lanes_where_all_are_compared():
    """In the precision of floats, against the axes as they were given."""
    single, double = jt.scan(work, AXES, precision="single"), jt.scan(work, AXES)
    assert (single.value.dtype, double.value.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single.beta, AXES["beta"])
    report = report_of(single)
    gap = float(np.abs(single.value.astype(float) - double.value).max())
    assert 0 < gap < 1e-6
    np.testing.assert_allclose(report["largest_difference"]["value"], gap, rtol=1e-6)
    np.testing.assert_allclose(report["largest_value"]["value"], double.value.max(), rtol=1e-14)
    assert report["lanes"] == report["compared"] == 200 and report["share_beyond_at_most"] == 0
    assert "precision" not in double.attrs


def test_what_single_precision_loses_is_reported():
    """1 - cos(a) = a^2/2 is nothing to a number of seven digits."""
    data = jt.scan(lambda a: 1.0 - jnp.cos(a), a=np.linspace(1e-5, 1e-4, 50), precision="single")
    np.testing.assert_array_equal(data.value, 0.0)
    np.testing.assert_allclose(report_of(data)["largest_difference"]["value"], 0.5e-8, rtol=1e-6)


def test_lanes_that_end_otherwise_are_counted_and_not_compared():
    """exp(100) is no number in single precision."""
    data = jt.scan(lambda a: jnp.exp(a), a=[0.0, 1.0, 50.0, 100.0], precision="single")
    assert data.status.values.tolist() == [Status.ok] * 3 + [Status.not_finite]
    report = report_of(data)
    assert (report["status_differs"], report["compared"]) == (1, 3)
    np.testing.assert_allclose(report["largest_value"]["value"], np.exp(50.0), rtol=1e-14)


def test_few_of_many_lanes_differ_more_than_the_sample():
    """Among 20 000 lanes with errors of a wide distribution."""
    axes = {("a", "b"): tuple(np.random.default_rng(1).lognormal(0.0, 2.0, (2, 20_000)))}
    single, double = (jt.scan(lambda a, b: jnp.sin(a) * b, axes, precision=p) for p in ("single", None))
    report = report_of(single)
    gap = np.abs(single.value.astype(float) - double.value)
    beyond = float((gap > report["largest_difference"]["value"]).mean())
    assert report["lanes"] == SAMPLE and 0.0099 < report["share_beyond_at_most"] < 0.01
    assert 0 < beyond < report["share_beyond_at_most"]


def test_the_store_keeps_it(tmp_path):
    path = tmp_path / "scan.zarr"
    first = jt.scan(work, AXES, store=path, chunk=40, precision="single")
    again = jt.scan(work, AXES, store=path, precision="single")
    xarray.testing.assert_identical(first, again)
    assert xarray.open_zarr(path, consolidated=False).attrs == first.attrs
    with pytest.raises(StoreError, match=r"its function returns .*f4.*, not .*f8"):
        jt.scan(work, AXES, store=path)


def test_arrays_that_the_function_holds_come_along():
    """Made in double precision; they are rounded on their way, by jax's usual rules of promotion."""
    held = jnp.asarray([1.0, 2.0, 4.0]) / 3.0
    with jax.numpy_dtype_promotion("standard"):
        data = jt.scan(lambda a: a * held, a=[1.0, 2.0], precision="single")
    assert held.dtype == np.float64 and data.value.dtype == np.float32


def test_where_jax_is_set_to_single_precision():
    """The comparison is with double precision all the same."""
    with jax.enable_x64(False):
        data = jt.scan(work, AXES, precision="single")
    assert data.beta.dtype == np.float32
    assert 0 < report_of(data)["largest_difference"]["value"] < 1e-6


def test_what_is_refused():
    with pytest.raises(ValueError, match="`precision` must be 'single' or None, but is 'half'"):
        jt.scan(work, AXES, precision="half")
    with pytest.raises(ValueError, match="`function` must return the same arrays in both precisions"):
        jt.scan(lambda a: jnp.zeros(jnp.asarray(0.0).dtype.itemsize) + a, a=[1.0], precision="single")
    # A verb with tolerances that only double precision reaches says so.
    with pytest.raises(ValueError, match="this needs double precision"):
        jt.scan(lambda beta: jt.potts.stationary(jt.PottsRing(3, -1.0, 1.0), beta), beta=[1.0], precision="single")

import json
import sys

import jax
import jax.numpy as jnp
import pytest

from benchmarks import __main__ as command, _bench


def test_time_call_counts_calls_and_separates_compilation():
    calls = []

    def function(x):
        calls.append(x)
        return jnp.sum(x)

    timing = _bench.time_call(jax.jit(function), jnp.ones(10), repeats=5)
    assert len(calls) == 1  # traced once
    assert timing.compile_seconds > timing.run_seconds > 0


def test_too_few_repeats_are_refused():
    with pytest.raises(ValueError, match="`repeats` must be >= 5"):
        _bench.time_call(jnp.sum, jnp.ones(3), repeats=4)


def test_a_record_says_where_it_was_made(tmp_path):
    path = _bench.write("answer", [{"lanes": 2, "run_seconds": 0.5}], tmp_path / _bench.device_slug())
    record = json.loads(path.read_text())
    assert record["rows"] == [{"lanes": 2, "run_seconds": 0.5}]
    assert record["dtype"] == "float64"
    assert record["jax_version"] == jax.__version__
    assert {"git_commit", "git_dirty", "device", "host_cpu", "host_cores"} <= record.keys()


def test_an_unknown_benchmark_is_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["nonsense"])
    assert "no benchmark named nonsense" in capsys.readouterr().err


def test_a_missing_peer_is_named_and_its_record_left_as_it_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "qutip", None)
    monkeypatch.setattr(jax, "clear_caches", lambda: None)
    assert command.main(["equilibrium_vs_qutip", "--quick"]) == 0
    assert "left out: the benchmark `equilibrium_vs_qutip` needs QuTiP" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command.main(["equilibrium_vs_qutip", "scan_dask", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "needs QuTiP" in shown and "left out: it needs distributed: pip install 'jaxthermo[dask]'" in shown
    assert not list(tmp_path.iterdir())

import json
import sys

import jax
import jax.numpy as jnp
import pytest

from benchmarks import __main__ as command, _bench, _guard


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


def test_a_ratio_that_got_worse_is_told(tmp_path):
    def rows(numba, library, solves):
        return [{"q": 3, "method": "numba", "cpu_ratio_to_numba": numba}, {"q": 3, "cpu_ratio_to_numba": library}], [
            {"time": 0.0, "solves": solves},
            {"time": None},
        ]

    names = ("potts_scan", "minimum_work")
    assert _guard.worse("potts_scan", rows(1.0, 0.1, 10)[0], tmp_path) == []
    for name, before in zip(names, rows(1.0, 0.1, 10), strict=True):
        _bench.write(name, before, tmp_path)
    for (library, solves), told in (((0.14, 14), (0, 0)), ((0.05, 5), (0, 0)), ((0.2, 16), (1, 1))):
        found = [_guard.worse(n, now, tmp_path) for n, now in zip(names, rows(1.0, library, solves), strict=True)]
        assert tuple(map(len, found)) == told
    assert found[0] == ["3, None: cpu_ratio_to_numba is 0.2, was 0.1"]
    assert _guard.worse("scaling", [{"exponent": 2.0}], tmp_path) == []


def test_a_benchmark_that_got_worse_fails(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(jax, "clear_caches", lambda: None)
    rows = iter([[{"loop": "jump", "of_floor": 0.4}], [{"loop": "jump", "of_floor": 0.2}]])
    monkeypatch.setattr("benchmarks.floors.run", lambda quick: next(rows))
    asked = ["floors", "--out", str(tmp_path)]
    assert [command.main(asked), command.main(asked)] == [0, 1]
    assert "WORSE than the last record: jump: of_floor is 0.2, was 0.4" in capsys.readouterr().out
    assert json.loads((tmp_path / "floors.json").read_text())["rows"][0]["of_floor"] == 0.2

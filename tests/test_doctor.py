import json
import os
from pathlib import Path

import jax

from benchmarks import latency
from jaxthermo import cache, doctor, environment, speed

ROOT = Path(__file__).resolve().parents[1]


def test_this_environment_is_healthy():
    diagnosis = doctor.diagnose()
    assert diagnosis.problems == ()
    found = dict(diagnosis.lines)
    assert found["precision"] == "double" and "jaxlib" in found


def test_the_known_bad_calculation_is_right_here():
    assert doctor.miscompiled_lanes() == 0


def test_the_canary_and_the_tests_are_compiled_as_users_programs_are():
    """Miscompilation comes with optimisation, so flags that change it would hide what a user meets."""
    assert "opt" not in os.environ.get("XLA_FLAGS", "") and not jax.config.values["jax_disable_most_optimizations"]


def test_it_says_whether_compiled_programs_are_kept(monkeypatch, tmp_path):
    before = {name: getattr(jax.config, name) for name in cache.SETTINGS}
    assert cache.works()
    assert {name: getattr(jax.config, name) for name in cache.SETTINGS} == before
    monkeypatch.setattr(cache, "works", lambda: False)
    assert any("does not find again" in problem for problem in doctor.diagnose().problems)

    def refuse(*_):
        raise ValueError("`folder` must be a folder that can be written to, but it is not")

    monkeypatch.setattr(cache, "enable_cache", refuse)
    assert any("can be written to" in problem for problem in doctor.diagnose().problems)


def test_main_prints_and_returns_zero(capsys):
    assert doctor.main(timed=False) == 0
    assert capsys.readouterr().out.endswith("No problems found.\n")
    assert doctor.main(as_json=True, timed=False) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["problems"] == [] and said["found"]["jax"] == jax.__version__


def test_wrong_lanes_are_one_plain_sentence_and_exit_code_one(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "miscompiled_lanes", lambda: 7)
    assert doctor.main(timed=False) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "7 of 40000 lanes" in last
    assert "install another version" in last


def test_the_speed_stands_beside_that_of_the_table(monkeypatch):
    """A verb compiles, and then does not: the second call is a hundredth of the first, or hardly more."""
    with monkeypatch.context() as one:
        one.setattr(speed, "VERBS", ("equilibrium, classical",))
        here = speed.measured()
    for spent in here.values():
        assert 0.0 < spent["again_cpu"] < 0.2 * spent["first_cpu"]
    table = json.loads(speed.REFERENCE.read_text())
    found = dict(speed.compared(table["verbs"]))
    assert set(found) == {"speed", *speed.VERBS} and table["device"] in found["speed"]
    assert all(found[verb].count("1.0 times") == 2 for verb in speed.VERBS)


def test_the_table_of_speeds_is_that_of_the_latency_page():
    """`python -m benchmarks.latency --only page` writes both."""
    table = json.loads(speed.REFERENCE.read_text())
    records = [json.loads(path.read_text()) for path in ROOT.glob("benchmarks/results/*/latency.json")]
    assert table in [latency.reference(record) for record in records]
    page = (ROOT / "docs" / "latency.md").read_text()
    assert f"Measured on {table['device']} with jax {table['jax_version']} at commit {table['git_commit'][:7]}" in page


def test_a_speed_that_cannot_be_measured_is_a_problem(monkeypatch):
    monkeypatch.setattr(speed, "PROGRAM", "raise SystemExit('no memory')")
    found = doctor.with_speed(doctor.Diagnosis((("jax", "1"),), ()))
    assert found.lines == (("jax", "1"),) and found.problems == ("The speed could not be measured: no memory.",)


def test_a_missing_package_is_a_problem(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("jax", "no-such-package"))
    assert doctor.diagnose().problems == ("no-such-package is not installed.",)


def test_host_memory_survives_a_system_that_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "MEMINFO", tmp_path / "absent")
    assert environment.host_memory() == "unknown"

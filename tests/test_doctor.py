from jaxthermo import doctor


def test_this_environment_is_healthy():
    diagnosis = doctor.diagnose()
    assert diagnosis.problems == ()
    assert any(line.startswith("jaxlib ") for line in diagnosis.lines)
    assert "double precision: on" in diagnosis.lines


def test_the_known_bad_calculation_is_right_here():
    assert doctor.miscompiled_lanes() == 0


def test_main_prints_and_returns_zero(capsys):
    assert doctor.main() == 0
    assert capsys.readouterr().out.endswith("No problems found.\n")


def test_wrong_lanes_are_one_plain_sentence_and_exit_code_one(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "miscompiled_lanes", lambda: 7)
    assert doctor.main() == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "7 of 40000 lanes" in last
    assert "install another version" in last


def test_a_missing_package_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("jax", "no-such-package"))
    assert doctor.diagnose().problems == ("no-such-package is not installed.",)


def test_host_memory_survives_a_system_that_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "MEMINFO", tmp_path / "absent")
    assert doctor.host_memory() == "unknown"

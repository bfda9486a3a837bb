"""The command line as a person meets it."""

import os

import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

import jaxthermo
from jaxthermo.cli import app
from jaxthermo.papers.rings import data as potts_data
from jaxthermo.papers.rings import report as potts
from jaxthermo.potts import Phase


@pytest.fixture(scope="module")
def command():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


def test_version_and_help(command):
    assert command("--version").output.strip() == f"jaxthermo {jaxthermo.__version__}"
    for words in (
        ["--help"],
        *([name, "--help"] for name in ("reproduce", "doctor", "validate", "infer-protocol", "phases")),
    ):
        result = command(*words)
        assert result.exit_code == 0 and "Usage" in result.output


def test_an_unknown_paper_is_one_sentence(command, tmp_path):
    result = command("reproduce", "pots", "--out", tmp_path)
    assert result.exit_code == 2
    assert "`paper` must be one of potts, stirling, but is pots" in result.output
    assert not list(tmp_path.iterdir())


def test_an_output_path_that_is_a_file_is_refused(command, tmp_path):
    (tmp_path / "taken").write_text("mine")
    result = command("reproduce", "potts", "--quick", "--out", tmp_path / "taken")
    assert result.exit_code == 2 and "--out" in result.output
    assert (tmp_path / "taken").read_text() == "mine"


# One odd and one even q where it matters, since each q compiles its own programs.
SCOPE = potts.Scope((3,), (3, 4), (3,), (3,), 41, (12, 10))


@pytest.fixture(scope="module")
def reproduction(tmp_path_factory):
    out = tmp_path_factory.mktemp("potts")
    patch = pytest.MonkeyPatch()
    patch.setattr(potts, "QUICK", SCOPE)
    yield out, potts.reproduce(out, quick=True)
    patch.undo()


def test_reproduction_writes_what_it_says(reproduction):
    out, made = reproduction
    names = {path.name for path in made.files}
    assert names == {f"potts_fig{n}.{kind}" for n in (1, 2, 3, 4) for kind in ("png", "svg", "zarr")} | {
        "potts_table.md"
    }
    assert all(path.exists() for path in made.files)
    assert "Eq. (10)" in (out / "potts_table.md").read_text()


def test_a_second_reproduction_computes_nothing_and_one_page_shows_it(reproduction, monkeypatch):
    out, made = reproduction
    monkeypatch.setattr(potts_data, "attractors", lambda *_: pytest.fail("computed again"))
    again = potts.reproduce(out, quick=True)
    assert again.reused == sum(len(by_q) for by_q in made.data.values())
    for name, by_q in made.data.items():
        for q, dataset in by_q.items():
            xarray.testing.assert_identical(again.data[name][q], dataset)
    page = (out / "index.html").read_text()
    assert all(f'src="potts_fig{n}.png"' in page for n in (1, 2, 3, 4)) and "Eq. (10)" in page


def test_an_interrupt_is_one_sentence_and_exit_code_130(command, tmp_path, monkeypatch):
    def interrupted(out, quick):
        assert quick
        raise KeyboardInterrupt

    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(potts, "reproduce", interrupted)
    monkeypatch.setattr(os, "_exit", leave)
    result = command("reproduce", "potts", "--out", tmp_path)
    assert result.exit_code == 130 and "the same command goes on from there" in result.output


def test_full_asks_for_the_papers_meshes(command, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(potts, "reproduce", lambda out, quick: asked.append(quick))
    for words in ([], ["--full"], ["--quick"]):
        assert command("reproduce", "potts", *words, "--out", tmp_path).exit_code == 0
    assert asked == [True, False, True]


def test_stored_data_are_labelled_and_equal_to_what_was_drawn(reproduction):
    out, made = reproduction
    for q, drawn in made.data["fig2"].items():
        stored = xarray.open_zarr(out / "potts_fig2.zarr", group=f"q{q}", consolidated=False)
        np.testing.assert_array_equal(stored.work_current, drawn.work_current)
        assert all(stored[name].attrs["units"] and stored[name].attrs["long_name"] for name in stored.variables)
        assert {"jaxthermo_version", "git_commit", "device_kind", "parameters"} <= set(stored.attrs)


def test_figure_2_is_zero_below_the_critical_beta_and_positive_above(reproduction):
    _, made = reproduction
    for q, d in made.data["fig2"].items():
        saved = d.uniform_work_current - d.work_current
        assert float(abs(saved[d.beta < q]).max()) < 1e-8
        above = (d.beta > q) & (d.phase != Phase.undecided)
        assert float(saved[above].min()) > 0
        assert np.all(d.phase[d.beta < q] == Phase.uniform)


def test_only_odd_rings_synchronise_here(reproduction):
    _, made = reproduction
    has_cycle = {q: bool((d.phase == Phase.limit_cycle).any()) for q, d in made.data["fig2"].items()}
    assert has_cycle == {q: q % 2 == 1 for q in has_cycle}


def test_figure_3_never_beats_figure_4(reproduction):
    _, made = reproduction
    for q, d in made.data["fig3"].items():
        known = d.phase != Phase.undecided
        assert float(d.power.where(known).max()) <= float(made.data["fig4"][q].power) + 1e-12

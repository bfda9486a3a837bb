"""Plans of jobs and products, pages and tables, on datasets that cost nothing."""

import io
import json
import threading

import numpy as np
import pytest
import xarray
from rich.console import Console

from jaxthermo.papers import claims, kept, page, plan, reproduction
from jaxthermo.papers.labels import labelled
from jaxthermo.papers.markdown_html import to_html
from jaxthermo.plot.styles import figure


def console():
    return Console(file=io.StringIO(), width=200)


def job(name, calls, settings=None, value=1.0, share="", make=None, weight=1.0):
    def computed(advance):
        calls.append(name)
        advance(0.5)
        return xarray.Dataset({"y": ("x", np.full(3, value))}, attrs={"units": "1"})

    return plan.Job(name, "store.zarr", name, settings or {"value": value}, make or computed, weight, share)


def product(name, *jobs):
    def write(out, data):
        path = out / f"{name}.md"
        path.write_text(" ".join(f"{float(d.y.sum()):g}" for d in data.values()))
        return [path]

    return plan.Product(name, f"Title of {name}", f"What {name} shows <here>.", jobs, write)


def test_what_was_computed_is_used_again_until_its_settings_change(tmp_path):
    calls = []
    first, second = job("a", calls), job("b", calls, value=2.0)
    made = plan.run(tmp_path, [product("both", first, second)], console())
    assert sorted(calls) == ["a", "b"] and made.reused == 0
    assert (tmp_path / "both.md").read_text() == "3 6"
    again = plan.run(tmp_path, [product("both", first, second)], console())
    assert sorted(calls) == ["a", "b"] and again.reused == 2
    for name in made.data:
        xarray.testing.assert_identical(made.data[name], again.data[name])
    assert again.seconds == made.seconds and made.seconds["both"] > 0.0
    changed = plan.run(tmp_path, [product("both", first, job("b", calls, value=3.0))], console())
    assert sorted(calls) == ["a", "b", "b"] and changed.reused == 1
    assert (tmp_path / "both.md").read_text() == "3 9"


def test_other_code_computes_again(tmp_path, monkeypatch):
    calls = []
    plan.run(tmp_path, [product("one", job("a", calls))], console())
    monkeypatch.setattr(kept, "code_version", lambda: "another")
    plan.run(tmp_path, [product("one", job("a", calls))], console())
    assert calls == ["a", "a"]


def test_damaged_data_are_computed_again(tmp_path):
    calls = []
    plan.run(tmp_path, [product("one", job("a", calls))], console())
    chunk = next(path for path in (tmp_path / "store.zarr/a/y/c").rglob("*") if path.is_file())
    chunk.write_bytes(b"not what it was")
    made = plan.run(tmp_path, [product("one", job("a", calls))], console())
    assert calls == ["a", "a"] and float(made.data["a"].y.sum()) == 3.0


def test_an_interrupted_run_keeps_what_had_finished(tmp_path):
    calls = []

    def interrupted(advance):
        raise KeyboardInterrupt

    stopped = job("b", calls, share="s", make=interrupted)
    with pytest.raises(KeyboardInterrupt):
        plan.run(tmp_path, [product("both", job("a", calls, share="s"), stopped)], console())
    assert not (tmp_path / "both.md").exists() and not list(tmp_path.glob("*.partial"))
    made = plan.run(tmp_path, [product("both", job("a", calls, share="s"), job("b", calls, share="s"))], console())
    assert calls == ["a", "b"] and made.reused == 1


def test_jobs_that_share_programs_never_run_at_once(tmp_path):
    calls, running, most = [], [], []
    lock = threading.Lock()

    def make(advance):
        with lock:
            running.append(1)
            most.append(len(running))
        threading.Event().wait(0.02)
        with lock:
            running.pop()
        return xarray.Dataset({"y": ("x", np.ones(3))})

    jobs = [job(f"j{n}", calls, share="one", make=make) for n in range(4)]
    plan.run(tmp_path, [product("all", *jobs)], console())
    assert max(most) == 1


def test_cheap_products_come_first_and_as_soon_as_their_data_are_known(tmp_path):
    seen, calls = [], []

    def second(advance):
        seen.append((tmp_path / "cheap.md").exists())
        return xarray.Dataset({"y": ("x", np.ones(3))})

    dear, cheap = job("b", calls, share="s", make=second, weight=9.0), job("a", calls, share="s")
    plan.run(tmp_path, [product("dear", dear, cheap), product("cheap", cheap)], console())
    assert (tmp_path / "dear.md").exists() and calls == ["a"] and seen == [True]
    text = console()
    plan.run(tmp_path, [product("none"), product("one", cheap)], text)
    lines = text.file.getvalue().splitlines()
    assert lines[0].endswith("none.md") and lines[-1].endswith("one.md")
    assert any("from an earlier run" in line for line in lines)


def test_data_of_another_plan_do_not_stay_unless_only_a_part_was_asked_for(tmp_path):
    calls = []
    plan.run(tmp_path, [product("both", job("a", calls), job("b", calls))], console())
    plan.run(tmp_path, [product("one", job("a", calls))], console(), everything=False)
    assert {path.name for path in (tmp_path / "store.zarr").iterdir()} == {"zarr.json", "a", "b"}
    plan.run(tmp_path, [product("one", job("a", calls))], console())
    assert {path.name for path in (tmp_path / "store.zarr").iterdir()} == {"zarr.json", "a"}


def test_the_time_left_trusts_the_rough_seconds_until_jobs_were_measured(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(plan.time, "monotonic", lambda: clock[0])
    jobs = [job(f"j{n}", [], weight=10.0) for n in range(4)]
    display = plan._Display(console(), jobs, 1)
    said = display._console.file
    # Before anything is known the weights are the estimate; nothing is silent while a job runs.
    display.began(jobs[0])
    assert said.getvalue().splitlines()[-1].strip() == "computing j0, about 40 s left"
    # A first job that compiles for 40 s in place of 10 does not make four times of all the others.
    clock[0] = 40.0
    display.finished(jobs[0], False)
    assert said.getvalue().strip().endswith("j0, after 40 s, about 75 s left")
    # What an earlier run had computed says nothing of the pace.
    display.finished(jobs[1], True)
    assert said.getvalue().strip().endswith("j1, from an earlier run, about 54 s left")
    for one in jobs[2:]:
        display.began(one)
    clock[0] = 60.0
    display.finished(jobs[2], False)
    display.finished(jobs[3], False)
    assert said.getvalue().strip().endswith("j3, after 60 s")
    # Two at a time need half as long.
    clock[0] = 0.0
    display = plan._Display(console(), jobs, 2)
    display.began(jobs[0])
    assert display._console.file.getvalue().strip() == "computing j0, about 20 s left"


def test_words_along_an_axis_come_back_from_the_store(tmp_path):
    data = labelled(
        {"y": ("level", [1.0, 2.0], "1", "a number")}, {"level": ("level", ["meso", "micro"], "1", "level")}
    )
    found, known = kept.fetch(tmp_path / "store.zarr", "a", {}, lambda: data)
    again, known_again = kept.fetch(tmp_path / "store.zarr", "a", {}, lambda: pytest.fail("computed again"))
    assert (known, known_again) == (False, True)
    for one in (found, again):
        assert float(one.y.sel(level="micro")) == 2.0 and one.level.attrs["long_name"] == "level"


def paper(calls):
    """Two figures and a table in an order of their own."""

    def drawn(data):
        fig, (axes,) = figure()
        axes.plot(next(iter(data.values())).y)
        return fig

    def products(full):
        one = job("one", calls, value=2.0 if full else 1.0, weight=5.0)
        return [
            reproduction.figure_product("toy_fig1", "Fig. 1: a", "The first.", [one], drawn),
            reproduction.text_product(
                "toy_table",
                "Table",
                "Numbers & words.",
                [job("two", calls)],
                lambda d: "## T\n\n| a |\n| --- |\n| 1<2 |\n",
            ),
        ]

    return reproduction.Paper("toy", "A toy paper", "A note.", products)


def test_a_page_has_its_figures_inside_and_in_the_papers_order(tmp_path):
    calls = []
    made = reproduction.reproduce(paper(calls), tmp_path, console=console())
    text = made.page.read_text()
    # They run beside each other.
    assert made.page.name == "toy.html" and sorted(calls) == ["one", "two"]
    assert text.index("Fig. 1: a</h2>") < text.index("Table</h2>")
    assert text.count("data:image/svg+xml;base64,") == 1 and '<td class="whole">1&lt;2</td>' in text
    assert "Numbers &amp; words." in text and "Coarse resolution; computed in" in text
    assert 'src="toy' not in text and "http" not in text.replace("http://www.w3.org", "")
    names = {path.name for path in made.files}
    assert names == {"store.zarr", "toy_fig1.png", "toy_fig1.svg", "toy_table.md"}
    assert all(path.exists() for path in made.files)
    assert 'href="toy.html#toy_fig1"' in made.index.read_text()


def test_one_item_is_made_alone_and_the_others_stay_on_the_page(tmp_path):
    calls = []
    reproduction.reproduce(paper(calls), tmp_path, console=console())
    made = reproduction.reproduce(paper(calls), tmp_path, full=True, items=["fig1"], console=console())
    # The first two run beside each other.
    assert sorted(calls[:2]) == ["one", "two"] and calls[2:] == ["one"]
    entries = json.loads((tmp_path / f"toy{page.RECORD}").read_text())["entries"]
    assert [one["resolution"] for one in entries.values()] == ["Full resolution", "Coarse resolution"]
    assert list(entries) == ["toy_fig1", "toy_table"] and "Table</h2>" in made.page.read_text()
    with pytest.raises(ValueError, match="`item` must be one of fig1, table, but is fig9"):
        reproduction.reproduce(paper(calls), tmp_path, items=["fig9"], console=console())


def test_claims_are_judged_counted_and_shown_with_their_command():
    made = (
        claims.Claim("Sec. I", "x is 1.", "fig1", lambda x: claims.Verdict(x == 1, f"x = {x}")),
        claims.Claim("Sec. II", "x is 2.", "fig2", lambda x: claims.Verdict(x == 2, f"x = {x}", "it is not")),
        claims.Claim("Sec. III", "x is fine.", "fig3", lambda x: claims.Verdict(None, "")),
    )
    text = claims.table("Statements", "toy", made, 1)
    assert "3 statements: 1 agree, 1 differ, 1 cannot be compared." in text
    assert "| Sec. II | x is 2. | differ | x = 1 | it is not | `jaxthermo reproduce toy --item fig2` |" in text
    html = to_html(text)
    assert '<td class="agree">agree</td>' in html and '<td class="cannot">cannot be compared</td>' in html
    assert "<code>jaxthermo reproduce toy --item fig2</code>" in html and "<h4>Statements</h4>" in html


def test_a_bar_in_a_cell_stays_in_it():
    assert '<td class="whole">|P|</td>' in to_html("| a |\n| --- |\n| \\|P\\| |\n")

"""Plans of jobs and products on datasets that cost nothing."""

import io
import threading

import numpy as np
import pytest
import xarray
from rich.console import Console

from jaxthermo.papers import index, kept, plan


def console():
    return Console(file=io.StringIO(), width=200)


def job(name, calls, settings=None, value=1.0, share="", make=None):
    def computed(advance):
        calls.append(name)
        advance(0.5)
        return xarray.Dataset({"y": ("x", np.full(3, value))}, attrs={"units": "1"})

    return plan.Job(name, "store.zarr", name, settings or {"value": value}, make or computed, share=share)


def product(name, *jobs):
    def write(out, data):
        path = out / f"{name}.md"
        path.write_text(" ".join(f"{float(d.y.sum()):g}" for d in data.values()))
        return [path]

    return plan.Product(name, f"What {name} shows <here>.", jobs, write)


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


def test_products_are_written_as_soon_as_their_data_are_known(tmp_path):
    seen, calls = [], []

    def second(advance):
        seen.append((tmp_path / "early.md").exists())
        return xarray.Dataset({"y": ("x", np.ones(3))})

    jobs = [job("a", calls, share="s"), job("b", calls, share="s", make=second)]
    plan.run(tmp_path, [product("late", *jobs), product("early", jobs[0])], console())
    assert (tmp_path / "late.md").exists() and seen == [True]
    text = console()
    plan.run(tmp_path, [product("none"), product("one", jobs[0])], text)
    lines = text.file.getvalue().splitlines()
    assert lines[0].endswith("none.md") and lines[-1].endswith("one.md")
    assert any("from an earlier run" in line for line in lines)


def test_data_of_another_plan_do_not_stay(tmp_path):
    calls = []
    plan.run(tmp_path, [product("both", job("a", calls), job("b", calls))], console())
    plan.run(tmp_path, [product("one", job("a", calls))], console())
    assert {path.name for path in (tmp_path / "store.zarr").iterdir()} == {"zarr.json", "a"}


def test_one_page_shows_all_runs_of_a_folder(tmp_path):
    for name in ("first", "second"):
        products = [product(name, job("a", []))]
        made = plan.run(tmp_path, products, console())
        page = index.record(tmp_path, name, f"The {name} paper", "A note.", products, made)
    text = page.read_text()
    assert page == tmp_path / "index.html" and text.count("<h2>") == 2
    assert 'href="second.md"' in text and "What first shows &lt;here&gt;." in text

"""The tools of the documentation: docstrings as data, examples that run, links that lead somewhere."""

import doctest
import inspect

import pytest

from website.check import anchors, bare, broken_links, documents, faults_of, swallowed, torn, undocumented, unshown
from website.docstrings import arguments_in, example_in, parts_of
from website.exports import ROOMS, exported, room_of, written
from website.figures import PAGE
from website.markdown import escaped

DOCSTRING = """One sentence.

Equation   a = b,
           and c

beta, x    numbers; `None`:
           chosen
Returns    nothing
Raises     ValueError for a < b

More text of two
lines.

Example
    >>> 1 + 1
    2
"""

EXAMPLES = {name: text for name, value in exported() if (text := example_in(inspect.getdoc(value) or ""))}


def test_a_docstring_in_parts():
    kinds = [part.kind for part in parts_of(DOCSTRING)]
    assert kinds == ["text", "Equation", "argument", "Returns", "Raises", "text", "text", "Example"]
    assert arguments_in(DOCSTRING) == {"beta": "numbers; `None`: chosen", "x": "numbers; `None`: chosen"}
    assert example_in(DOCSTRING) == ">>> 1 + 1\n2"


def test_everything_public_is_documented_and_every_link_leads_somewhere():
    assert undocumented() == [] and faults_of(documents()) == []


def test_faults_are_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("# A b: c\n[one](#a-b-c) [two](#nowhere) [three](none.md) `[four](code.md)`\n")
    monkeypatch.setattr("website.check.ROOT", tmp_path)
    assert anchors(page.read_text()) == {"a-b-c"}
    assert [fault.split()[1] for fault in broken_links([page])] == ["#nowhere", "none.md"]
    page.write_text("`_code` a_k [b](c/_d.md) (a_k W)_n = W_{n+e}\n<!-- python -m a._b -->\n")
    assert [fault.split("`")[1] for fault in swallowed([page])] == [")_n = W_{n+e}"]
    page.write_text("<p^2>, `<q>`, <div F>, a < b > c, <q>, <https://a.b>\n<!-- no -->\n")
    assert [fault.split("`")[1] for fault in unshown([page])] == ["<div F>", "<q>"]
    page.write_text("| a | b |\n|---|---|\n| \\|u\\| | 1 |\n| |u| | 1 |\n\n| a |\n|---|\n")
    assert [fault.split()[1] for fault in torn([page])] == ["4"]
    deep = tmp_path / "docs" / "page.md"
    deep.parent.mkdir()
    deep.write_text("[one](page.md) [page.md](page.md)\n")
    assert len(bare([deep])) == 1 and bare([page]) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_docstrings(name):
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name] + "\n", {}, name, name, 0)
    assert test.examples, "an example without >>> is run by nobody"
    said = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


def test_every_export_has_a_page():
    rooms = {room_of(name, value) for name, value in exported()}
    assert rooms <= {"", *ROOMS} and len(EXAMPLES) >= 95


def test_mean_values_are_no_tags():
    text = "<p^2> of `<p>`, <div F> and a < b\n```text\n<q>\n```"
    assert escaped(text) == "&lt;p^2> of `<p>`, &lt;div F> and a < b\n```text\n<q>\n```"


def test_a_name_in_several_rooms_is_known_in_each():
    import jaxthermo as jt

    assert written()["jumps.cumulants"] is written()["potts.cumulants"] is written()["cumulants"] is jt.jumps.cumulants


def test_an_argument_may_be_a_capital():
    assert arguments_in("P    occupations\nNote  that a sentence is none\n") == {"P": "occupations"}


def test_every_plot_is_in_the_gallery():
    import jaxthermo as jt

    text = PAGE.read_text()
    drawn = [name for name in jt.plot.__all__ if name != "style"]
    assert [name for name in drawn if f"jt.plot.{name}(" not in text] == []

"""Docstrings of the library as Markdown, for mkdocstrings; fields of results with their units and meanings."""

import importlib
import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any

import griffe

from website.docstrings import Part, parts_of
from website.exports import home_of, written
from website.markdown import escaped

# A name in backticks, which becomes a link where it is one of the library's.
NAMED = re.compile(r"`(?:jt\.)?((?:\w+\.)*\w+)`")
# Where each export is documented, by the names that it is written with.
PLACES: dict[str, str] = {}


def _places() -> dict[str, str]:
    if not PLACES:
        PLACES.update((name, home_of(value)) for name, value in written().items())
    return PLACES


class Docstrings(griffe.Extension):
    """Rewrites what griffe has read, once everything is loaded."""

    def on_package(self, *, pkg: griffe.Module, **settings: Any) -> None:
        """Every function, class and attribute of the package."""
        self._rewrite(pkg)

    def _rewrite(self, thing: griffe.Object) -> None:
        if thing.docstring is not None:
            thing.docstring.value = markdown_of(inspect.cleandoc(thing.docstring.value))
        if thing.is_class:
            _describe_fields(thing)
        for member in thing.members.values():
            if not member.is_alias:
                self._rewrite(member)


def markdown_of(docstring: str) -> str:
    """A docstring in Markdown: paragraphs, a list of arguments, sections, code."""
    pieces: list[str] = []
    before = ""
    for part in parts_of(docstring):
        if part.kind == before == "text" and not pieces[-1].endswith("\n"):
            pieces[-1] += "\n" + _linked(part.words)
        else:
            pieces.append(_piece(part))
        before = part.kind
    return "\n\n".join(piece.strip("\n") for piece in pieces)


def _piece(part: Part) -> str:
    if part.kind == "argument":
        return f"{', '.join(f'`{name}`' for name in part.names)}\n:   {_linked(part.words)}"
    if part.kind == "Example":
        return f"**Example**\n\n```pycon\n{part.words}\n```"
    return _linked(part.words) if part.kind == "text" else f"**{part.kind}**\n:   {_linked(part.words)}"


def _linked(words: str) -> str:
    """Text with links to what it names, whose signs are not taken for tags."""
    places = _places()

    def link(found: re.Match[str]) -> str:
        return f"[{found[0]}][{places[found[1]]}]" if found[1] in places else found[0]

    return NAMED.sub(link, escaped(words))


def _describe_fields(thing: griffe.Object) -> None:
    """Fields of results say their unit and meaning in `quantity`: they become a list below what the class says."""
    value = getattr(importlib.import_module(thing.module.path), thing.name, None)
    if not is_dataclass(value):
        return
    listed = []
    for field in fields(value):
        label, member = field.metadata.get("quantity"), thing.members.get(field.name)
        if label is None or member is None or member.is_alias:
            continue
        unit = "" if label.units == "1" else f" [{escaped(label.units)}]"
        axes = f", over {', '.join(label.dims)}" if label.dims else ""
        listed.append(f"`{field.name}`\n:   {escaped(label.long_name)}{unit}{axes}")
        thing.del_member(field.name)
    if listed:
        about = thing.docstring.value if thing.docstring else ""
        thing.docstring = griffe.Docstring("\n\n".join([about, "**Quantities**", *listed]), parent=thing)

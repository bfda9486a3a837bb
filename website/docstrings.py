"""Docstrings of the library as data: paragraphs, arguments by name, labelled sections, an example.

The form is that of CONTRIBUTING.md. At the left margin a line is a label (`Returns    ...`), an argument or several
(`beta, x    ...`), "Example", or text; what belongs to a label or an argument stands indented below it.
"""

import re
import textwrap
from typing import NamedTuple

LABELS = ("Equation", "Method", "Shapes", "Units", "Returns", "Raises", "Accuracy", "Source")
LABEL = re.compile(rf"({'|'.join(LABELS)})  +(\S.*)")
# Names, with a wide gap before what they mean; "*batch" and "**settings" too.
ARGUMENT = re.compile(r"((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*)  +(\S.*)")
# Not a word with a capital that begins a sentence, but P may be an argument.
FIRST_WORD = re.compile(r"[a-z_*]|[A-Z]\b")


class Part(NamedTuple):
    """A part of a docstring: its kind ("text", "argument", "example" or a label), its names, its words."""

    kind: str
    names: tuple[str, ...]
    words: str


def parts_of(docstring: str) -> list[Part]:
    """A cleaned docstring (`inspect.getdoc`) in its parts."""
    parts: list[Part] = []
    for block in _blocks(docstring):
        parts += _parts_of_block(block)
    return parts


def arguments_in(docstring: str) -> dict[str, str]:
    """What a docstring says of each argument that it lists by name."""
    return {name: part.words for part in parts_of(docstring) for name in part.names}


def example_in(docstring: str) -> str:
    """The example of a docstring as it stands; empty where there is none."""
    return next((part.words for part in parts_of(docstring) if part.kind == "Example"), "")


def _blocks(docstring: str) -> list[list[str]]:
    """Lines at the margin, each with the indented and empty lines below it."""
    blocks: list[list[str]] = []
    for line in docstring.splitlines():
        if line[:1].isspace() and blocks:
            blocks[-1].append(line)
        elif not line and blocks:
            blocks[-1].append("")
        else:
            blocks.append([line])
    return blocks


def _parts_of_block(block: list[str]) -> list[Part]:
    first, below = block[0], textwrap.dedent("\n".join(block[1:])).rstrip()
    if first == "Example":
        return [Part("Example", (), below)]
    if found := LABEL.fullmatch(first):
        return [Part(found[1], (), _joined(found[2], below))]
    found = ARGUMENT.fullmatch(first)
    if found and (FIRST_WORD.match(first) or below):
        return [Part("argument", tuple(name.strip("* ") for name in found[1].split(",")), _joined(found[2], below))]
    end = "\n" if block[-1] == "" else ""
    return [Part("text", (), "\n".join([first, *block[1:]]).rstrip() + end)]


def _joined(first: str, below: str) -> str:
    return " ".join([first, *below.split()]).strip()

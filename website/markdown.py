"""Markdown as mkdocs reads it: `<p^2>` is a mean value there, not a tag."""

import re

# Code in a block or in a line, and what begins like a tag.
CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
TAG = re.compile(r"<(?=[A-Za-z/])(?!https?:)")


def escaped(text: str) -> str:
    """Text in which signs outside code are not taken for tags; pages have none, so <div F> is a mean value too."""
    pieces = CODE.split(text)
    return "".join(piece if index % 2 else TAG.sub("&lt;", piece) for index, piece in enumerate(pieces))

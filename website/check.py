"""What `make lint` asks of the documentation: every export and argument said, every link leading somewhere."""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxthermo._results import AbstractResult
from website.docstrings import arguments_in
from website.exports import exported

ROOT = Path(__file__).resolve().parents[1]
# A docstring that refers to another one: "arguments as `fold`".
REFERENCE = re.compile(r"\bas `(?:jt\.)?([\w.]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
LINK_OR_COMMENT = re.compile(LINK.pattern + "|<!--.*?-->")
# Emphasis is written with stars here.
EMPHASIS = re.compile(r"[^\w\s]_\w[^\n|]{0,20}|(?<!\S)_\w[^\n|]{0,20}")
# Signs that a browser takes for a tag, so that what they enclose is not shown.
TAG = re.compile(r"</?[a-zA-Z][\w-]*(?:\s[^<>\n]*)?/?>")
HEADING = re.compile(r"#+ +(.*)")
# Pages that mkdocs makes, see website/hooks.py.
MADE = re.compile(r"(?:\.\./)*(?:api/\w+\.md|tutorials/\w+\.(?:md|ipynb)|changelog\.md)")


class Documented(NamedTuple):
    """A function, constructor or method, with all that its documentation says of its arguments."""

    signature: inspect.Signature
    text: str
    is_foreign: bool  # a method that diffrax or equinox asks for, and documents


def arguments(signature: inspect.Signature) -> list[inspect.Parameter]:
    """What a caller passes."""
    return [one for one in signature.parameters.values() if one.name not in ("self", "cls")]


def _signatures() -> Iterator[tuple[str, Documented]]:
    """Exported functions, and constructors and methods of exported classes, by name."""
    for name, value in exported():
        text = inspect.getdoc(value) or ""
        if inspect.isfunction(value):
            yield name, Documented(inspect.signature(value), text, False)
            continue
        assert inspect.isclass(value)
        is_made_by_library = issubclass(value, AbstractResult | Exception | int) or inspect.isabstract(value)
        if not is_made_by_library:
            yield name, Documented(inspect.signature(value), text, False)
        for own, method in vars(value).items():
            function = getattr(method, "fget", None) or getattr(method, "__func__", None) or inspect.unwrap(method)
            if inspect.isfunction(function) and (own == "__call__" or not own.startswith("_")):
                bases = [base for base in value.__mro__ if own in vars(base)]
                inherited = [inspect.getdoc(getattr(base, own)) or "" for base in bases]
                is_foreign = any(not base.__module__.startswith(("jaxthermo", "builtins")) for base in bases)
                yield (
                    f"{name}.{own}",
                    Documented(inspect.signature(function), "\n\n".join([*inherited, text]), is_foreign),
                )


SIGNATURES = dict(_signatures())


def undocumented() -> list[str]:
    """Exports without a docstring, and arguments that no documentation lists or, in a sentence, names."""
    faults = [f"{name}: no documentation" for name, value in exported() if not inspect.getdoc(value)]
    for name, (signature, text, is_foreign) in SIGNATURES.items():
        if is_foreign:
            continue
        said = "\n".join([text, *_referred(text)])
        is_listing = "." not in name.removeprefix("jaxthermo.").partition(".")[2]
        listed = arguments_in(said) if is_listing else {}
        for one in arguments(signature):
            if one.name not in listed and not re.search(rf"\b{one.name}\b", said):
                faults.append(f"{name}: nothing says what `{one.name}` means")
    return faults


def _referred(text: str) -> list[str]:
    names = REFERENCE.findall(text)
    return [about.text for name in names for full, about in SIGNATURES.items() if full.endswith(f".{name}")]


def documents() -> list[Path]:
    """The pages that are written by hand."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def broken_links(pages: list[Path]) -> list[str]:
    """Links to files that are not there, or to headings that their page has not."""
    faults = []
    for page in pages:
        for link in LINK.findall(_without_code(page.read_text())):
            if re.match(r"[a-z]+:", link) or MADE.fullmatch(link.partition("#")[0]):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                faults.append(f"{page.relative_to(ROOT)}: {link} is not there")
            elif anchor and anchor not in anchors(target.read_text()):
                faults.append(f"{page.relative_to(ROOT)}: {link} has no such heading")
    return faults


def swallowed(pages: list[Path]) -> list[str]:
    """Formulas whose `_` Markdown takes for the begin of emphasis, and whose braces it then takes for attributes."""
    faults = []
    for page in pages:
        for found in EMPHASIS.findall(LINK_OR_COMMENT.sub("", _without_code(page.read_text()))):
            faults.append(f"{page.relative_to(ROOT)}: put `{found}` into backticks, else Markdown makes emphasis of it")
    return faults


def unshown(pages: list[Path]) -> list[str]:
    """Mean values that a browser takes for tags, such as those of q outside of backticks."""
    return [
        f"{page.relative_to(ROOT)}: put `{found}` into backticks, else it is a tag"
        for page in pages
        for found in TAG.findall(_without_code(page.read_text()))
    ]


def torn(pages: list[Path]) -> list[str]:
    """Rows of tables with another number of cells than the row above: a `|` inside of a cell needs a backslash."""
    faults = []
    for page in pages:
        before = 0
        for line in page.read_text().splitlines():
            bars = len(re.findall(r"(?<!\\)\|", line)) if line.lstrip().startswith("|") else 0
            if bars and before and bars != before:
                faults.append(f"{page.relative_to(ROOT)}: {bars - 1} cells, but {before - 1} above, in {line[:60]}")
            before = bars
    return faults


def bare(pages: list[Path]) -> list[str]:
    """Links of the site whose words are the name of a file."""
    return [
        f"{page.relative_to(ROOT)}: the words of a link are {found}"
        for page in pages
        if page.parent != ROOT
        for found in re.findall(r"\[[\w/]+\.md\](?=\()", page.read_text())
    ]


def anchors(markdown: str) -> set[str]:
    """What the headings of a page are called in links."""
    heads = [HEADING.fullmatch(line) for line in _without_code(markdown).splitlines()]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", head[1]).strip().lower()) for head in heads if head}


def faults_of(pages: list[Path]) -> list[str]:
    """All that is wrong with pages written by hand."""
    return [fault for check in (broken_links, swallowed, unshown, torn, bare) for fault in check(pages)]


def _without_code(markdown: str) -> str:
    return re.sub(r"^ *```.*?^ *```$|`[^`\n]*`", "", markdown, flags=re.DOTALL | re.MULTILINE)


def main() -> int:
    """Print every fault; 1 where there is one."""
    faults = [*undocumented(), *faults_of(documents())]
    print(
        "\n".join(faults)
        or f"{len(SIGNATURES)} signatures documented, links of {len(documents())} pages lead somewhere"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

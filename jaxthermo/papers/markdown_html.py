"""The little Markdown that the tables of this room are written in, as HTML."""

import html
import re

# Columns of a table that a narrow screen does not hold.
BROAD = 5
RULE = re.compile(r"^\|( ?-+ ?\|)+$")


def to_html(text: str) -> str:
    """Headings, tables and paragraphs; `code` inside them. Levels of headings are moved down by two."""
    blocks = [block for block in re.split(r"\n\s*\n|\n(?=#)|(?<=#)\n", text.strip()) if block.strip()]
    return "\n".join(_block(block.strip()) for block in blocks)


def _block(block: str) -> str:
    heading = re.match(r"^(#+) (.*)$", block, flags=re.DOTALL)
    if heading:
        level = min(6, len(heading[1]) + 2)
        first, *rest = heading[2].split("\n", 1)
        below = to_html(rest[0]) if rest else ""
        return f"<h{level}>{inline(first)}</h{level}>\n{below}"
    if block.startswith("|"):
        return _table(block.split("\n"))
    return f"<p>{inline(block)}</p>"


def _table(lines: list[str]) -> str:
    rows = [_cells(line) for line in lines if not RULE.match(line)]
    head = "".join(f"<th>{inline(cell)}</th>" for cell in rows[0])
    body = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows[1:])
    # A wide table moves inside its own frame, not the page.
    kind = ' class="broad"' if len(rows[0]) >= BROAD else ""
    return f'<div class="wide"><table{kind}>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _cell(cell: str) -> str:
    """Verdicts have a colour of their own, and single numbers and words are not broken."""
    kind = cell.split()[0] if cell in ("agree", "differ", "cannot be compared") else "whole" if " " not in cell else ""
    return f'<td class="{kind}">{inline(cell)}</td>' if kind else f"<td>{inline(cell)}</td>"


def inline(text: str) -> str:
    """One line, with its `code`."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text, quote=False))

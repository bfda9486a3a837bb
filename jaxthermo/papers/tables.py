"""Tables as Markdown and on the terminal."""

from rich.console import Console
from rich.table import Table


def markdown(title: str, header: list[str], lines: list[list[str]]) -> str:
    """A heading and a table."""
    body = [header, ["---"] * len(header), *lines]
    # A bar inside a cell would end it.
    text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in body)
    return f"## {title}\n\n{text}\n"


def show(console: Console, title: str, header: list[str], lines: list[list[str]]) -> None:
    """The same table on the terminal."""
    table = Table(*header, title=title)
    for cells in lines:
        table.add_row(*cells)
    console.print(table)

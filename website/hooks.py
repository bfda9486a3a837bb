"""What mkdocs does beside rendering docs/: notebooks, the changelog and the API become pages."""

import inspect
import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from website.exports import ROOMS, exported, home_of, room_of
from website.markdown import escaped

ROOT = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Adds the pages that are made of other files."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=page_of_notebook(path)))
        files.append(File.generated(config, f"tutorials/{path.name}", content=path.read_bytes()))
    for name, text in api_pages().items():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Mean values are no tags; pages of the API come escaped."""
    return markdown if page.file.src_uri.startswith("api/") else escaped(markdown)


def page_of_notebook(path: Path) -> str:
    """The cells of a notebook, which is stored without outputs, as a page."""
    cells = json.loads(path.read_text())["cells"]
    head, *rest = [_cell("".join(cell["source"]), cell["cell_type"]) for cell in cells]
    note = f"*This page is the notebook [{path.name}]({path.name}). The test suite executes it.*"
    return "\n\n".join([head, note, *rest]) + "\n"


def _cell(source: str, kind: str) -> str:
    return source if kind == "markdown" else f"```python\n{source}\n```"


def api_pages() -> dict[str, str]:
    """One page for each room: its functions, then its classes."""
    pages: dict[str, list[tuple[bool, int, str, str]]] = {room: [] for room in ("", *ROOMS)}
    for name, value in exported():
        short = name.removeprefix("jaxthermo.")
        # What `jt` itself exports comes first.
        entry = (inspect.isclass(value), short.count("."), short, home_of(value))
        pages[room_of(name, value)].append(entry)
    return {room or "package": _api_page(room, sorted(found)) for room, found in pages.items()}


def _api_page(room: str, found: list[tuple[bool, int, str, str]]) -> str:
    title, about = (ROOMS[room], f"`jt.{room}`") if room else ("The package", "`jaxthermo`")
    parts = [f"# {title}\n\nWhat {about} exports, functions first. `import jaxthermo as jt`."]
    for *_, short, home in found:
        parts.append(f'::: {home}\n    options:\n      heading: "jt.{short}"\n      toc_label: "{short}"')
    return "\n\n".join(parts) + "\n"

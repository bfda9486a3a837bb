"""One self-contained page for each paper, and an index of them."""

import base64
import html
import json
from pathlib import Path
from typing import Any

from jaxthermo.papers.markdown_html import inline, to_html
from jaxthermo.papers.plan import Made, Product
from jaxthermo.provenance import provenance

RECORD = "_run.json"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font-family: serif; line-height: 1.4; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.25rem; margin-top: 2.5rem; }} h3, h4 {{ font-size: 1.05rem; }}
img {{ width: 100%; max-width: 52rem; display: block; margin: 0 auto; }}
figure {{ margin: 0; }}
figcaption, .made {{ color: #303030; }} .made {{ font-size: 0.85rem; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; }}
/* On a narrow screen figures and tables stay legible and move inside their own frames. */
@media (max-width: 42rem) {{ .wide img, .wide table.broad {{ min-width: 40rem; }} }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0; }}
th, td {{ border-top: 1px solid #ccc; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; }}
td {{ min-width: 3rem; }} td.whole {{ white-space: nowrap; }}
td.agree {{ background: #dcefe2; }} td.differ {{ background: #fbe0d2; }} td.cannot {{ background: #eeeeee; }}
nav a {{ margin-right: 0.8rem; display: inline-block; }} nav {{ line-height: 1.9; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def record(
    out: Path, paper: str, title: str, note: str, products: list[Product], made: Made, resolution: str
) -> tuple[Path, Path]:
    """Add what one run has made to the paper's page, and write the index; returns both pages.

    `products` are all that the paper has, in its order. Those that this run has not made stay as an earlier one left
    them.
    """
    path = out / f"{paper}{RECORD}"
    entries = json.loads(path.read_text())["entries"] if path.exists() else {}
    origin = provenance({})
    for product in products:
        if product.name in made.files:
            entries[product.name] = {
                "title": product.title,
                "caption": product.caption,
                "files": [file.relative_to(out).as_posix() for file in made.files[product.name]],
                "seconds": made.seconds[product.name],
                "resolution": resolution,
                "provenance": origin,
            }
    entries = {p.name: entries[p.name] for p in products if p.name in entries}
    path.write_text(json.dumps({"title": title, "entries": entries}, indent=1) + "\n")
    page = out / f"{paper}.html"
    names = " ".join(f'<a href="#{name}">{html.escape(one["title"])}</a>' for name, one in entries.items())
    body = [f"<p>{html.escape(note)}</p>", f"<nav>{names}</nav>"]
    body += [_entry(out, name, entry) for name, entry in entries.items()]
    page.write_text(PAGE.format(title=html.escape(title), body="\n".join(body)))
    return page, _index(out)


def _index(out: Path) -> Path:
    """Links to the pages of all papers in a folder."""
    parts = []
    for path in sorted(out.glob(f"*{RECORD}")):
        one, page = json.loads(path.read_text()), path.name.removesuffix(RECORD) + ".html"
        links = [f'<a href="{page}#{name}">{html.escape(e["title"])}</a>' for name, e in one["entries"].items()]
        parts += [f'<h2><a href="{page}">{html.escape(one["title"])}</a></h2>', f"<nav>{' '.join(links)}</nav>"]
    index = out / "index.html"
    index.write_text(PAGE.format(title="The papers, made again by jaxthermo", body="\n".join(parts)))
    return index


def _entry(out: Path, name: str, entry: dict[str, Any]) -> str:
    """A figure as a picture inside the page, a table as a table, and where it comes from."""
    shown = "".join(_shown(out / file) for file in entry["files"])
    origin = entry["provenance"]
    files = ", ".join(f'<a href="{file}">{file}</a>' for file in entry["files"])
    made = (
        f"{entry['resolution']}; computed in {entry['seconds']:.0f} s; {origin['date_utc']}, jaxthermo "
        f"{origin['jaxthermo_version']}, commit {origin['git_commit']}, jax {origin['jax_version']}, on "
        f"{origin['device_kind']}. Files: {files}"
    )
    return (
        f'<section id="{name}"><h2>{html.escape(entry["title"])}</h2>\n<figure>{shown}\n'
        f'<figcaption>{inline(entry["caption"])}</figcaption></figure>\n<p class="made">{made}</p></section>'
    )


def _shown(path: Path) -> str:
    if path.suffix == ".svg":
        data = base64.b64encode(path.read_bytes()).decode()
        return f'<div class="wide"><img src="data:image/svg+xml;base64,{data}" alt="{path.stem}"></div>'
    return to_html(path.read_text()) if path.suffix == ".md" else ""

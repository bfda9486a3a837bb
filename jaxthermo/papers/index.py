"""One page over everything that a folder of results holds."""

import html
import json
from pathlib import Path
from typing import Any

from jaxthermo.papers.plan import Made, Product
from jaxthermo.provenance import provenance

RECORD = "_run.json"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>jaxthermo: results</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: serif; line-height: 1.4; }}
img {{ max-width: 100%; }}
figure {{ margin: 1.5rem 0; }}
pre {{ overflow-x: auto; font-size: 0.8rem; }}
small {{ color: #404040; }}
</style>
<h1>Results</h1>
{sections}
</html>
"""


def record(out: Path, paper: str, title: str, note: str, products: list[Product], made: Made) -> Path:
    """Write what one run has made, then the page over all runs in `out`; returns the page."""
    entries = [
        {"caption": p.caption, "files": [path.relative_to(out).as_posix() for path in made.files[p.name]]}
        for p in products
    ]
    origin = provenance({})
    text = json.dumps({"title": title, "note": note, "products": entries, "provenance": origin}, indent=1)
    (out / f"{paper}{RECORD}").write_text(text + "\n")
    records = [json.loads(path.read_text()) for path in sorted(out.glob(f"*{RECORD}"))]
    page = out / "index.html"
    page.write_text(PAGE.format(sections="\n".join(_section(out, one) for one in records)))
    return page


def _section(out: Path, one: dict[str, Any]) -> str:
    origin = one["provenance"]
    made = (
        f"Made {origin['date_utc']} with jaxthermo {origin['jaxthermo_version']}, commit {origin['git_commit']}, "
        f"jax {origin['jax_version']}, on {origin['device_kind']}."
    )
    parts = [f"<h2>{html.escape(one['title'])}</h2>", f"<p>{html.escape(one['note'])}</p>"]
    parts += [_entry(out, entry) for entry in one["products"]]
    return "\n".join([*parts, f"<p><small>{html.escape(made)}</small></p>"])


def _entry(out: Path, entry: dict[str, Any]) -> str:
    """A figure as a picture with links to its files, a table as its text."""
    files, words = entry["files"], html.escape(entry["caption"])
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in files)
    shown = "".join(f'<img src="{name}" alt="{words}">' for name in files if name.endswith(".png"))
    shown += "".join(f"<pre>{html.escape((out / name).read_text())}</pre>" for name in files if name.endswith(".md"))
    return f"<figure>{shown}<figcaption>{words} {links}</figcaption></figure>"

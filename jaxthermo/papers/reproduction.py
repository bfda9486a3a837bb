"""A paper as a list of products in its own order, and the command that makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console

from jaxthermo.papers import page, plan
from jaxthermo.plot.styles import save, style

COARSE, FULL = "Coarse resolution", "Full resolution"


@dataclass(frozen=True)
class Paper:
    """One paper: `products(full)` are its figures and tables in its own order, named `<name>_<item>`."""

    name: str
    title: str
    note: str
    products: Callable[[bool], list[plan.Product]]

    def items(self, full: bool) -> list[str]:
        """What `--item` may name."""
        return [product.name.removeprefix(f"{self.name}_") for product in self.products(full)]


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` made: the datasets by job, the files, and the pages."""

    made: plan.Made
    files: list[Path]
    page: Path
    index: Path


def reproduce(
    paper: Paper, out: Path, full: bool = False, items: Sequence[str] = (), console: Console | None = None
) -> Reproduction:
    """Make a paper's figures and tables, or some of them, and its page.

    paper      a `Paper`
    out        folder; it gets a .png and .svg of each figure, a .md of each table, the data as .zarr, `<paper>.html`
               with all of them inside, and `index.html`
    full       the paper's meshes and all its cases, or a coarse first look
    items      which; empty for all
    Raises     ValueError for an item that the paper does not have

    What an earlier run into the same folder has computed with the same code is used again.
    """
    products = paper.products(full)
    known = paper.items(full)
    for item in items:
        if item not in known:
            raise ValueError(f"`item` must be one of {', '.join(known)}, but is {item}")
    wanted = [product for product, item in zip(products, known, strict=True) if not items or item in items]
    made = plan.run(out, wanted, console or Console(), everything=not items)
    resolution = FULL if full else COARSE
    shown, index = page.record(out, paper.name, paper.title, paper.note, products, made, resolution)
    stores = sorted({out / job.store for product in wanted for job in product.needs})
    return Reproduction(made, [*stores, *made.paths()], shown, index)


def figure_product(
    name: str,
    title: str,
    words: str,
    needs: Sequence[plan.Job],
    draw: Callable[[plan.Data], Figure],
) -> plan.Product:
    """A figure: `draw` makes it from the datasets by their jobs' names; what it says below goes onto the page too."""

    def write(out: Path, data: plan.Data) -> list[Path]:
        with style():
            return save(draw(data), out / name)

    return plan.Product(name, title, words, tuple(needs), write)


def text_product(
    name: str, title: str, words: str, needs: Sequence[plan.Job], text: Callable[[plan.Data], str]
) -> plan.Product:
    """A table: `text` makes its Markdown from the datasets by their jobs' names."""

    def write(out: Path, data: plan.Data) -> list[Path]:
        path = out / f"{name}.md"
        path.write_text(text(data))
        return [path]

    return plan.Product(name, title, words, tuple(needs), write)

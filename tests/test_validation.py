"""Every row of docs/validation.md, run."""

import re
from pathlib import Path

import pytest

from jaxthermo.validation.report import CHECKS, in_cell

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "validation.md"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.measure.__name__)
def test_exact_statement_holds(check):
    error = check.measure()
    assert error <= check.tolerance, f"{check.statement}: {error}"


def test_the_document_has_every_row():
    rows = re.findall(
        r"^\| [^|]+ \| (.+?) \| [-+.e\d]+ \| [-+.e\d]+ \| (yes|NO) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    assert [statement for statement, _ in rows] == [in_cell(check.statement) for check in CHECKS]
    assert all(verdict == "yes" for _, verdict in rows)


def test_statements_in_cells():
    assert in_cell("2 |u| beta = <q^2> and a < b") == r"2 \|u\| beta = `<q^2>` and a < b"

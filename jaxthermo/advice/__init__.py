"""What may be wrong with a result, and what to change."""

# Each registers what it knows of its results.
from jaxthermo.advice import brownian, finite, rings, searches  # noqa: F401
from jaxthermo.advice.findings import Audit, Finding
from jaxthermo.advice.report import audit

__all__ = ["Audit", "Finding", "audit"]

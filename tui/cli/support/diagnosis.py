"""The findings of the doctor as the JSON object of the public contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.engine import Finding


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Return whether no check failed."""
    return all(finding.health != "fail" for finding in findings)


def diagnosis_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings, and whether no check failed."""
    return {"ok": is_healthy(findings), "findings": [asdict(finding) for finding in findings]}

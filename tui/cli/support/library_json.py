"""Templates and patterns as JSON objects of the public contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.domain.events import iso
from engine.domain.model import TemplateStats
from engine.domain.pattern import StoredPattern

if TYPE_CHECKING:
    from engine.engine import Template


def template_json(template: Template, achieved: TemplateStats | None) -> dict[str, Any]:
    """Return a template as the JSON object of the public contract."""
    done = achieved or TemplateStats()
    limit = template.keys.option("timeout")
    return {
        "name": template.name,
        "layer": template.layer.value,
        "path": str(template.path),
        "description": template.keys.description,
        "params": {
            key: {
                "type": it.kind,
                "default": it.default,
                "help": it.help,
                "choices": None if it.choices is None else list(it.choices),
                "check": it.check,
            }
            for key, it in template.params.items()
        },
        "prompt": template.keys.prompt,
        "sandbox": template.keys.option("sandbox"),
        "timeout_s": limit and float(limit),
        "verify": template.keys.option("verify"),
        "achieved": asdict(done),
        "error": asdict(template.problem.info) if template.problem else None,
    }


def pattern_json(known: StoredPattern) -> dict[str, Any]:
    """Return a pattern as the JSON object of the public contract."""
    return {
        "id": known.id,
        **asdict(known.pattern),
        "changed_at": iso(known.changed_at),
        "is_edited": known.is_edited,
        "runs": list(known.runs),
        "used_by": list(known.used_by),
        "with_it": asdict(known.with_it),
        "without": asdict(known.without),
    }

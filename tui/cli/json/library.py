"""Run templates, and patterns of what worked."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.model import Sandbox
from tui.cli.json.base import Count, ErrorInfoJson, Shape, Time


class ParameterJson(Shape):
    """What a template asks for; one without a default has to be given."""

    type: Annotated[str, Meta(pattern="^(text|number|choice|flag|path)$")]
    default: str | int | float | bool | None
    help: str | None
    choices: list[str] | None
    check: str | None


class AchievedJson(Shape):
    """What a template's runs have come to; ended are those that succeeded or failed."""

    runs: Count
    ended: Count
    succeeded: Count
    median_s: float | None
    median_tokens: float | None


class TemplateJson(Shape):
    """A run template; error says why it cannot be used."""

    name: str
    layer: Annotated[str, Meta(pattern="^(built in|own|repository)$")]
    path: Annotated[str, Meta(description="absolute")]
    description: str | None
    params: dict[str, ParameterJson]
    prompt: str | None
    sandbox: Sandbox | None
    timeout_s: float | None
    verify: str | None
    achieved: AchievedJson
    error: ErrorInfoJson | None


class RateJson(Shape):
    """How many runs succeeded or failed, and how many of them succeeded."""

    ended: Count
    succeeded: Count


class PatternStepJson(Shape):
    """One thing that was done and worked."""

    kind: Annotated[str, Meta(pattern="^(look|run|edit|check)$")]
    text: str


class VariableJson(Shape):
    """What may be another the next time."""

    kind: Annotated[str, Meta(pattern="^(path|name|range|number)$")]
    value: str


class PatternJson(Shape):
    """What worked; runs it came from and those that used it, the newest first."""

    id: str
    goal: str
    steps: list[PatternStepJson]
    variables: list[VariableJson]
    outcome: str
    template: str | None
    changed_at: Time
    is_edited: Annotated[bool, Meta(description="by you: later runs do not change it")]
    runs: list[str]
    used_by: list[str]
    with_it: Annotated[RateJson, Meta(description="of those that used it")]
    without: Annotated[RateJson, Meta(description="of those of its kind that did not")]

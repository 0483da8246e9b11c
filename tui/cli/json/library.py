"""Run templates and patterns."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.model import Sandbox
from tui.cli.json.base import Count, ErrorInfoJson, Shape, Time


class ParameterJson(Shape):
    """A parameter of a template; required if it has no default."""

    type: Annotated[str, Meta(pattern="^(text|number|choice|flag|path)$")]
    default: str | int | float | bool | None
    help: str | None
    choices: list[str] | None
    check: str | None


class AchievedJson(Shape):
    """Results of a template's runs; ended counts those that succeeded or failed."""

    runs: Count
    ended: Count
    succeeded: Count
    median_s: float | None
    median_tokens: float | None


class TemplateJson(Shape):
    """A run template; error is the reason if it is invalid."""

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
    """Numbers of runs that ended and of those that succeeded."""

    ended: Count
    succeeded: Count


class PatternStepJson(Shape):
    """A step that succeeded."""

    kind: Annotated[str, Meta(pattern="^(look|run|edit|check)$")]
    text: str


class VariableJson(Shape):
    """A value that may differ in the next run."""

    kind: Annotated[str, Meta(pattern="^(path|name|range|number)$")]
    value: str


class PatternJson(Shape):
    """A pattern; its source runs and the runs that used it, newest first."""

    id: str
    goal: str
    steps: list[PatternStepJson]
    variables: list[VariableJson]
    outcome: str
    template: str | None
    changed_at: Time
    is_edited: Annotated[bool, Meta(description="edited by you: later runs do not change it")]
    runs: list[str]
    used_by: list[str]
    with_it: Annotated[RateJson, Meta(description="of runs that used it")]
    without: Annotated[RateJson, Meta(description="of similar runs that did not")]

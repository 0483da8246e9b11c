"""Approval rules."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.approval_rules import RuleOrigin, RuleScope
from engine.domain.interaction import Decision, RequestKind
from tui.cli.json.base import Count, Shape, Time


class RuleJson(Shape):
    """A rule that answers requests of agents."""

    kind: RequestKind
    match: Annotated[
        list[str],
        Meta(description="a command, its first words, a path, or an MCP server and its tool"),
    ]
    scope: RuleScope
    scope_id: Annotated[str, Meta(description="the run, the batch or the project")]
    decision: Decision
    is_prefix: Annotated[bool, Meta(description="match is only how a command or path begins")]
    origin: Annotated[RuleOrigin, Meta(description="the place where it is written")]
    id: str
    made_at: Time | None
    uses: Annotated[Count, Meta(description="requests that it has answered")]
    used_at: Time | None
    words: Annotated[str, Meta(description="the rule as a sentence")]
    problem: Annotated[
        str | None, Meta(description="why this version lets the rule answer nothing, or null")
    ]

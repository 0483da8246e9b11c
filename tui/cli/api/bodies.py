"""Bodies of requests for runs: the flags of their commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from msgspec import Meta, field

from engine.domain.interaction import ApprovalPolicy, ModeChange
from tui.cli.json.base import Shape

RunNames = Annotated[
    list[str],
    Meta(max_length=10_000, description="ids of runs, their unique beginnings or ends"),
]


class ModeRequest(Shape, kw_only=True):
    """The mode of a run's next attempts, where it is to change."""

    interactive: Annotated[
        bool | None, Meta(description="the agent asks and can be spoken to; null: as the run was")
    ] = None
    approvals: Annotated[
        ApprovalPolicy | None,
        Meta(description="when the agent asks; the run is interactive with it"),
    ] = None
    ignore_pace: Annotated[
        bool, Meta(description="start although a reserve is kept or starts are spread")
    ] = False

    @property
    def change(self) -> ModeChange:
        """The change of mode that is requested."""
        return ModeChange(self.interactive, self.approvals, self.ignore_pace)


class CancelRequest(Shape, kw_only=True):
    """Options of a cancellation."""

    kill: Annotated[bool, Meta(description="send SIGKILL at once, without SIGTERM first")] = False
    children: Annotated[bool, Meta(description="cancel the runs that they started, too")] = False


class CancelRunsRequest(CancelRequest, kw_only=True):
    """The runs to cancel: exactly one of `runs`, `all` and `batch`."""

    runs: RunNames = field(default_factory=list[str])
    all: Annotated[bool, Meta(description="all runs that have not ended")] = False
    batch: Annotated[str | None, Meta(description="the runs of this batch")] = None


class RetryRequest(ModeRequest, kw_only=True):
    """Options of a retry."""

    prompt: Annotated[
        str | None,
        Meta(description="use this prompt instead, in a new thread of the same workspace"),
    ] = None
    fresh: Annotated[bool, Meta(description="start over in a new workspace and thread")] = False
    on: Annotated[
        str | None,
        Meta(description="start over on this machine: `local`, `any`, or the name of a node"),
    ] = None

    @property
    def change(self) -> ModeChange:
        """The change that is requested."""
        return replace(super().change, on=self.on or "")


class RetryRunsRequest(RetryRequest, kw_only=True):
    """The runs to retry: either `runs`, or `failed`, of a `batch` if one is named."""

    runs: RunNames = field(default_factory=list[str])
    failed: Annotated[
        bool, Meta(description="all failed and interrupted runs that are not put aside")
    ] = False
    batch: Annotated[str | None, Meta(description="with failed: only runs of this batch")] = None


class ResumeRequest(ModeRequest, kw_only=True):
    """The message that a run goes on with."""

    message: str = ""
    comments: Annotated[
        bool, Meta(description="send the comments on the run; the message begins them")
    ] = False


class ForkRequest(ModeRequest, kw_only=True):
    """The prompt of a fork."""

    prompt: str


class SendRequest(Shape, kw_only=True):
    """A message to an agent."""

    text: str
    after_turn: Annotated[
        bool, Meta(description="send it when the agent's turn has ended, not in it")
    ] = False


class InterruptRequest(Shape, kw_only=True):
    """The message that an agent goes on with at once; empty: the run ends."""

    message: str = ""


class TagsRequest(Shape, kw_only=True):
    """Tags to add to a run, and tags to remove; they are in lower case."""

    add: Annotated[list[str], Meta(max_length=1000)] = field(default_factory=list[str])
    remove: Annotated[list[str], Meta(max_length=1000)] = field(default_factory=list[str])


class NoteRequest(Shape, kw_only=True):
    """The note of a run; an empty one removes it."""

    text: str


class RunsRequest(Shape, kw_only=True):
    """The runs to change: all are changed, or none is."""

    runs: RunNames

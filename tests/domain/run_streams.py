"""Streams of events as no agent would think of, for the properties of the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from engine.domain.events import (
    Body,
    ChangesMeasured,
    ErrorRaised,
    FileChange,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.lifecycle import FOLLOWS
from engine.domain.model import ErrorInfo, PlanItem, RunSpec, Stage, Status, WorkspaceKind
from engine.domain.reasons import Cause, Subject

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
words = st.text(max_size=12)
counts = st.integers(0, 2**53)
details = st.one_of(
    st.none(),
    st.builds(lambda thread: {"thread_id": thread}, words),
    st.builds(
        lambda path, kind: {"path": path, "kind": kind.value, "source": None, "branch": None},
        words,
        st.sampled_from(WorkspaceKind),
    ),
)
bodies = st.one_of(
    st.builds(Progressed, st.sampled_from(Stage), words, st.integers(0, 100), details),
    st.builds(
        Step,
        st.sampled_from(["assistant", "reasoning", "tool"]),
        st.sampled_from(["message", "command", "file_change", "mcp", "web_search", "other"]),
        st.sampled_from(["started", "completed", "failed"]),
        words,
        changes=st.none() | st.just((FileChange("a", "added"),)),
    ),
    st.builds(PlanChanged, st.lists(st.builds(PlanItem, words, st.booleans())).map(tuple)),
    st.builds(UsageCounted, counts, counts, counts),
    st.builds(ChangesMeasured, counts, counts, counts),
    st.builds(Notice, st.just("warning"), words, subject=st.none() | st.sampled_from(Subject)),
    st.builds(ErrorRaised, st.builds(ErrorInfo, words, words, words, words)),
    st.builds(Raw, st.recursive(st.none() | words | counts, st.lists, max_leaves=5)),
)


@st.composite
def streams(draw: Callable[[Any], Any]) -> list[Body]:
    """Bodies in an order that the lifecycle allows, through any number of attempts."""
    status = Status.QUEUED
    stream: list[Body] = [StatusChanged(status)]
    for body in draw(st.lists(bodies | st.none(), max_size=30)):
        if body is None:
            status = draw(st.sampled_from(sorted(FOLLOWS[status])))
            cause = draw(st.none() | st.sampled_from(Cause))
            code = draw(st.none() | counts)
            body = StatusChanged(status, reason=draw(words), exit_code=code, cause=cause)
        stream.append(body)
    return stream

"""An event as JSON: the keys that scripts rely on."""

from __future__ import annotations

import json

import pytest

from engine.domain.account import AccountChosen
from engine.domain.annotation import Annotation
from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.events import (
    BODIES,
    ApplyUndone,
    ArtifactSaved,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Event,
    FileChange,
    FilesChanged,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    RunForgotten,
    StatusChanged,
    Step,
    UsageCounted,
    event_json,
)
from engine.domain.file_marks import FilesReviewed, ReviewedFile
from engine.domain.hosts import HostChosen
from engine.domain.interaction import (
    Decision,
    DeliveryTime,
    InputRequest,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    RequestKind,
    RequestPhase,
    TurnInterrupt,
)
from engine.domain.model import ErrorInfo, LimitWindow, PlanItem, Stage, Status
from engine.domain.pull_request import PullRequestSeen, PullRequestState
from engine.domain.push import BranchPushed
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.thread_session import SessionPhase, ThreadSession
from engine.store import codec

CHANGE = FileChange("a.py", "added")
REQUEST = (
    "request phase text reason changes details digest is_cut subject decided_by message "
    "fields secrets"
)
COMMENT = "n phase text path path_bytes first last is_old quoted fingerprint since"
STEP = "role kind phase text"
ENVELOPE = {"run", "seq", "at", "attempt", "type"}
TOKENS = "input_tokens cached_input_tokens output_tokens reasoning_output_tokens requests"
EXAMPLES: list[tuple[Body, str]] = [
    (StatusChanged(Status.RUNNING, Status.PREPARING), "status previous reason"),
    (StatusChanged(Status.FAILED, Status.RUNNING, "X", 1), "status previous reason exit_code"),
    (StatusChanged(Status.QUEUED), "status reason"),
    (
        InputRequest("0", RequestPhase.RAISED, RequestKind.COMMAND, command="x", cwd="."),
        f"{REQUEST} kind command cwd",
    ),
    (
        InputRequest("0", RequestPhase.ANSWERED, decision=Decision.DENY, decided_by="user"),
        f"{REQUEST} decision",
    ),
    (
        MessageChanged("m", MessagePhase.QUEUED, DeliveryTime.NOW, "x"),
        "message phase delivery text",
    ),
    (Annotation(tags=("a", "b")), "tags"),
    (Annotation(note="", is_dismissed=True, is_archived=False), "note is_dismissed is_archived"),
    (
        ReviewComment(1, CommentPhase.ADDED, "text", "a.py", "", 3, 4, checkpoint=2, sent_at=1.0),
        f"{COMMENT} checkpoint sent_at",
    ),
    (ReviewComment(1, CommentPhase.SENT), COMMENT),
    (
        BranchPushed("origin", "https://example.com/x", "b", "c"),
        "remote address branch commit web_address pull_request",
    ),
    (
        PullRequestSeen("https://example.com/o/r/pull/7", 7, PullRequestState.OPEN),
        "url number state checks review commit problem",
    ),
    (ApplyUndone("/s", 2), "to files"),
    (FilesReviewed((ReviewedFile("a.py", "1-2"),)), "files"),
    (RunForgotten(), ""),
    (
        WorkspaceUpdated(UpdatePhase.UPDATED, "main", "a", "b", 1, 2, 3, ("f",), "c", "d"),
        "base checkpoint commits conflicts files head new new_head old phase",
    ),
    (ThreadSession(SessionPhase.OPENED), "phase"),
    (HostChosen("n1", "it has the most free slots"), "host reason is_request"),
    (AccountChosen("work", "the account `default` has no room"), "account reason"),
    (TurnInterrupt("i", InterruptPhase.REQUESTED), "interrupt phase message"),
    (Progressed(Stage.EXECUTING, "m", 30, {"thread_id": "t"}), "stage message percent details"),
    (Progressed(Stage.COMPLETE, "complete", 100, elapsed_s=1.5), "stage message percent elapsed_s"),
    (Step("assistant", "message", "completed", "hello"), STEP),
    (Step("tool", "command", "failed", "a", "a", 1, ""), f"{STEP} command exit_code output"),
    (Step("tool", "file_change", "started", "a", changes=(CHANGE,)), f"{STEP} changes"),
    (PlanChanged((PlanItem("a", True),)), "items"),
    (FilesChanged((CHANGE,)), "changes"),
    (ChangesMeasured(1, 2, 3), "files insertions deletions"),
    (UsageCounted(1, 2, 3), TOKENS),
    (UsageCounted(1, 2, 3, 4, 5, 6, "m"), f"{TOKENS} context_window model"),
    (LimitsSeen((LimitWindow("primary", 4.0),)), "windows"),
    (Notice("warning", "careful"), "level text"),
    (CheckpointTaken(1, "executing", "abc"), "n stage ref"),
    (ArtifactSaved("attempt-1/last-message.md", 5), "path bytes"),
    (ErrorRaised(ErrorInfo("RATE_LIMITED", "m", "r", "d")), "error"),
    (Raw({"type": "novelty"}), "data"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), EXAMPLES)
def test_an_event_has_the_keys_of_its_type(body: Body, fields: str) -> None:
    told = event_json(Event("abc", 7, 1_750_000_000.25, 2, body))
    assert told.keys() == ENVELOPE | set(fields.split())
    assert (told["run"], told["seq"], told["attempt"]) == ("abc", 7, 2)
    assert told["at"] == "2025-06-15T15:06:40.250Z"
    assert told["type"] == body.type
    assert json.loads(json.dumps(told, allow_nan=False)).keys() == told.keys()


@pytest.mark.parametrize(("body", "_"), EXAMPLES)
def test_a_stored_event_is_read_back_as_it_was(body: Body, _: str) -> None:
    assert codec.event_from("abc", 7, 1.5, 2, body.type, codec.body_text(body)).body == body


def test_every_type_has_an_example() -> None:
    assert {body.type for body, _ in EXAMPLES} == BODIES.keys()


def test_what_is_inside_has_the_promised_keys() -> None:
    inner = [event_json(Event("a", 1, 0.0, 1, body)) for body, _ in EXAMPLES]
    by_type = {told["type"]: told for told in inner}
    assert by_type["plan"]["items"][0] == {"text": "a", "completed": True}
    assert by_type["files"]["changes"][0] == {"path": "a.py", "change": "added"}
    assert by_type["error"]["error"].keys() == {"code", "message", "recovery", "docs_url"}


def test_an_exit_code_of_zero_and_an_empty_output_are_told() -> None:
    told = event_json(Event("a", 1, 0.0, 1, Step("tool", "command", "completed", "", "", 0, "")))
    assert (told["exit_code"], told["output"]) == (0, "")

"""Shapes of the objects that `--json` prints, for docs/json.md and tests."""

from __future__ import annotations

from typing import Any

from tui.cli.json.base import ErrorJson
from tui.cli.json.batches import BatchJson, BatchPlanJson, BatchResultsJson, ComparisonJson
from tui.cli.json.events import EVENTS, Event, LiveEvent, OutputEvent
from tui.cli.json.home import (
    BroughtBackJson,
    CleanupJson,
    DiagnosisJson,
    DiskUsageJson,
    EmptiedJson,
)
from tui.cli.json.library import PatternJson, TemplateJson
from tui.cli.json.receivers import AgainJson, DeliveryJson, ReceiverJson, TestedJson
from tui.cli.json.runs import (
    CommentJson,
    FoundJson,
    InputRequestJson,
    ListedRunJson,
    LocatedCommentJson,
    QueueJson,
    RunJson,
)
from tui.cli.json.work import (
    AppliedJson,
    ArtifactJson,
    CheckpointJson,
    DiffJson,
    EntryJson,
    RestoredJson,
)

__all__ = [
    "DOCUMENTS",
    "EVENTS",
    "LINES",
    "AgainJson",
    "AppliedJson",
    "ArtifactJson",
    "BatchJson",
    "BatchPlanJson",
    "BatchResultsJson",
    "BroughtBackJson",
    "CheckpointJson",
    "CleanupJson",
    "CommentJson",
    "ComparisonJson",
    "DeliveryJson",
    "DiagnosisJson",
    "DiffJson",
    "DiskUsageJson",
    "EmptiedJson",
    "EntryJson",
    "ErrorJson",
    "Event",
    "FoundJson",
    "InputRequestJson",
    "ListedRunJson",
    "LiveEvent",
    "LocatedCommentJson",
    "OutputEvent",
    "PatternJson",
    "QueueJson",
    "ReceiverJson",
    "RestoredJson",
    "RunJson",
    "TemplateJson",
    "TestedJson",
]

# What each command prints: one document of this shape, or one a line.
DOCUMENTS: dict[str, Any] = {
    "ls": list[ListedRunJson],
    "show": ListedRunJson,
    "search": FoundJson,
    "cancel": list[RunJson],
    "dismiss": list[RunJson],
    "undismiss": list[RunJson],
    "archive": list[RunJson],
    "unarchive": list[RunJson],
    "tag": RunJson,
    "note": RunJson,
    "comment": CommentJson,
    "comments": list[LocatedCommentJson],
    "inbox": list[InputRequestJson],
    "approve": list[RunJson],
    "deny": list[RunJson],
    "answer": list[RunJson],
    "send": RunJson,
    "interrupt": RunJson,
    "wait": list[RunJson],
    "pause": QueueJson,
    "unpause": QueueJson,
    "slots": QueueJson,
    "doctor": DiagnosisJson,
    "files": list[EntryJson],
    "artifacts": list[ArtifactJson],
    "diff": DiffJson,
    "restore": list[CheckpointJson] | RestoredJson,
    "du": DiskUsageJson,
    "cleanup": CleanupJson,
    "cleanup --undo": BroughtBackJson,
    "cleanup --empty-trash": EmptiedJson,
    "templates": list[TemplateJson] | TemplateJson,
    "patterns": list[PatternJson] | PatternJson,
    "webhooks": list[ReceiverJson],
    "webhooks test": list[TestedJson],
    "webhooks deliveries": list[DeliveryJson],
    "webhooks retry": AgainJson,
    "config": dict[str, Any],  # settings.md has its keys
    "batch start --dry-run": BatchPlanJson,
    "batch start --detach": BatchJson,
    "batch ls": list[BatchJson],
    "batch show": BatchResultsJson,
    "batch compare": list[ComparisonJson],
    "batch cancel": list[RunJson],
    "batch drop": CleanupJson,
}
LINES: dict[str, Any] = {
    "run": Event,
    "run --detach": RunJson,
    "batch start": Event,
    "batch retry": Event,
    "batch retry --detach": RunJson,
    "batch apply": AppliedJson,
    "watch": Event,
    "watch --live": LiveEvent,
    "logs": Event,
    "logs --follow --live": LiveEvent,
    "retry": Event,
    "retry --detach": RunJson,
    "resume": Event,
    "resume --detach": RunJson,
    "apply": AppliedJson,
}

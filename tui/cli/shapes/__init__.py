"""What `--json` prints: the shape of every object, for docs/json.md and the tests that hold it."""

from __future__ import annotations

from typing import Any

from tui.cli.shapes.base import Error
from tui.cli.shapes.batches import Batch, BatchPlan, BatchResults, Comparison
from tui.cli.shapes.events import EVENTS, Event
from tui.cli.shapes.home import BroughtBack, Cleanup, Diagnosis, DiskUsage, Emptied
from tui.cli.shapes.library import Pattern, Template
from tui.cli.shapes.receivers import Again, Delivery, Receiver, Tested
from tui.cli.shapes.runs import Found, ListedRun, Queue, Run
from tui.cli.shapes.work import Applied, Artifact, Checkpoint, Diff, Entry, Restored

__all__ = [
    "DOCUMENTS",
    "EVENTS",
    "LINES",
    "Again",
    "Applied",
    "Artifact",
    "Batch",
    "BatchPlan",
    "BatchResults",
    "BroughtBack",
    "Checkpoint",
    "Cleanup",
    "Comparison",
    "Delivery",
    "Diagnosis",
    "Diff",
    "DiskUsage",
    "Emptied",
    "Entry",
    "Error",
    "Event",
    "Found",
    "ListedRun",
    "Pattern",
    "Queue",
    "Receiver",
    "Restored",
    "Run",
    "Template",
    "Tested",
]

# What each command prints: one document of this shape, or one a line.
DOCUMENTS: dict[str, Any] = {
    "ls": list[ListedRun],
    "show": ListedRun,
    "search": Found,
    "cancel": list[Run],
    "wait": list[Run],
    "pause": Queue,
    "unpause": Queue,
    "slots": Queue,
    "doctor": Diagnosis,
    "files": list[Entry],
    "artifacts": list[Artifact],
    "diff": Diff,
    "restore": list[Checkpoint] | Restored,
    "du": DiskUsage,
    "cleanup": Cleanup,
    "cleanup --undo": BroughtBack,
    "cleanup --empty-trash": Emptied,
    "templates": list[Template] | Template,
    "patterns": list[Pattern] | Pattern,
    "webhooks": list[Receiver],
    "webhooks test": list[Tested],
    "webhooks deliveries": list[Delivery],
    "webhooks retry": Again,
    "config": dict[str, Any],  # settings.md has its keys
    "batch start --dry-run": BatchPlan,
    "batch start --detach": Batch,
    "batch ls": list[Batch],
    "batch show": BatchResults,
    "batch compare": list[Comparison],
    "batch cancel": list[Run],
    "batch drop": Cleanup,
}
LINES: dict[str, Any] = {
    "run": Event,
    "run --detach": Run,
    "batch start": Event,
    "batch retry": Event,
    "batch retry --detach": Run,
    "batch apply": Applied,
    "watch": Event,
    "logs": Event,
    "retry": Event,
    "retry --detach": Run,
    "resume": Event,
    "resume --detach": Run,
    "apply": Applied,
}

"""Disk usage, plans of clean-ups, and the trash as JSON; runs by a name that the trash knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.domain.digest import digest_of
from engine.domain.errors import UserError
from engine.domain.events import iso
from engine.domain.text import printable_name

if TYPE_CHECKING:
    from engine.engine import (
        CleanupItem,
        CleanupItemResult,
        CleanupPlan,
        CleanupReport,
        DiskUsage,
        ForgetPlan,
        TrashEntry,
    )
    from engine.ports.engine import EnginePort

ENTRY = ("id", "run", "project", "title", "path", "kind", "source", "branch", "is_only_here")


async def measured_usage(engine: EnginePort, project: str | None) -> list[DiskUsage]:
    """Return the sizes of all places, or of those of a project."""
    found: dict[Any, DiskUsage] = {}

    def report(one: DiskUsage) -> None:
        found[one.place] = one

    await engine.disk.measure(report)
    return [one for one in found.values() if project in (None, one.place.project)]


def usage_json(found: Iterable[DiskUsage], free: int) -> dict[str, Any]:
    """Return disk usage as `du --json` prints it."""
    return {"places": [_place_json(one) for one in found], "free": free}


def _place_json(one: DiskUsage) -> dict[str, Any]:
    place = one.place
    return {
        "kind": place.kind,
        "path": str(place.path),
        "run": place.run or None,
        "project": place.project or None,
        **asdict(one.figures),
        "state": place.state or None,
        "error": one.error,
    }


async def run_or_trashed(engine: EnginePort, name: str) -> str:
    """Return the id of a run; one that was forgotten may still have a workspace in the trash."""
    try:
        return (await engine.find(name)).id
    except UserError:
        if any(entry.run == name for entry in await engine.disk.trash()):
            return name
        raise


def plan_json(plan: CleanupPlan, report: CleanupReport) -> dict[str, Any]:
    """Return a plan, its digest, and the result of it, as `cleanup --json` prints them."""
    return {
        "take": [_item_json(item) for item in plan.take],
        "keep": [_item_json(item) for item in plan.keep],
        "size": plan.size,
        "digest": plan.digest,
        "cleaned": [_cleaned_json(one) for one in report.cleaned],
        "freed": report.freed,
        "stopped": report.stopped,
    }


def _item_json(item: CleanupItem) -> dict[str, Any]:
    folders = [{"path": printable_name(one.path), "size": one.size} for one in item.folders]
    fields = {**asdict(item), "folders": folders}
    del fields["unsaved"]  # `why` has it
    return fields


def _cleaned_json(one: CleanupItemResult) -> dict[str, Any]:
    error = one.failure.info if one.failure else None
    return {
        "run": one.item.run or None,
        "path": one.item.path,
        "freed": one.freed,
        "entry": one.entry or None,
        "error": asdict(error) if error else None,
    }


def entry_json(entry: TrashEntry) -> dict[str, Any]:
    """Return an entry of the trash."""
    return {**{name: getattr(entry, name) for name in ENTRY}, "at": iso(entry.at)}


def restored_entries_json(entries: Iterable[TrashEntry]) -> dict[str, Any]:
    """Return the entries that were restored."""
    return {"restored": [entry_json(entry) for entry in entries]}


def emptied_json(entries: Sequence[TrashEntry], removed: int) -> dict[str, Any]:
    """Return entries of the trash, their digest, and how many of them were removed."""
    shown = [entry_json(one) for one in entries]
    return {"trash": shown, "digest": trash_digest(entries), "removed": removed}


def trash_digest(entries: Iterable[TrashEntry]) -> str:
    """Return the digest that confirms the permanent removal of these entries."""
    return digest_of(sorted(entry.id for entry in entries))


def forget_plan_json(planned: ForgetPlan) -> dict[str, Any]:
    """Return what forgetting runs removes, with the digest that confirms it."""
    return {
        "runs": list(planned.runs),
        "workspaces": planned.workspaces,
        "unsaved": list(planned.unsaved),
        "digest": forget_digest(planned),
    }


def forget_digest(planned: ForgetPlan) -> str:
    """Return the digest that confirms that these runs are forgotten."""
    return digest_of(sorted(planned.runs), planned.workspaces, sorted(planned.unsaved))

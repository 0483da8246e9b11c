"""The run object of the public contract, as every `--json` prints it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from engine.domain.activity import activity, elapsed_s
from engine.domain.events import iso
from engine.domain.model import Run


def run_json(run: Run, now: float, position: int | None = None) -> dict[str, Any]:
    """Give the run as a JSON object at `now` (seconds since 1970)."""
    spec = run.spec
    return {
        "id": run.id,
        "title": spec.title,
        "project": spec.project,
        "batch": spec.batch,
        "status": run.status.value,
        "progress": run.percent,
        "activity": activity(run, now, position),
        "agent": spec.agent.value,
        "prompt": spec.prompt,
        "template": spec.template,
        "created_at": iso(run.created_at),
        "started_at": None if run.started_at is None else iso(run.started_at),
        "finished_at": None if run.finished_at is None else iso(run.finished_at),
        "elapsed_s": round(elapsed_s(run, now), 3),
        "attempt": run.attempt,
        "attempts": run.attempt,
        "thread_id": run.thread_id,
        "model": spec.model,
        "sandbox": spec.sandbox.value,
        "workspace": asdict(run.workspace) if run.workspace else None,
        "tokens": {
            "input": run.usage.input,
            "cached_input": run.usage.cached,
            "output": run.usage.output,
        },
        "changes": asdict(run.changes),
        "error": asdict(run.error) if run.error else None,
        "exit_code": run.exit_code,
    }

"""The output of Codex in a run, for the rows that need a lot of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

OUTPUT = "".join(f"tests/test_dates.py::test_case_{n} PASSED\n" for n in range(6))


def lines(how_many: int) -> bytes:
    """Return so many lines of `codex exec --json`, each of which becomes one event."""
    first = {"type": "thread.started", "thread_id": "0199a213-81c0-7800-8aa1-bbab2a035a53"}
    said = [first, *islice(_items(), how_many - 1)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in said)


def _items() -> Iterator[dict[str, Any]]:
    """Return what a run goes on with: it thinks, runs a command, edits, and says so."""
    for n in count(1):
        command = f"/bin/bash -lc 'pytest -q tests/test_{n}.py'"
        edited = [{"path": f"src/part_{n % 40}.py", "kind": "update"}]
        yield _item(n, "completed", "reasoning", text=f"**Looking at part {n}**\n\nIt may be off.")
        yield _item(n, "started", "command_execution", command=command, aggregated_output="")
        yield _item(
            n,
            "completed",
            "command_execution",
            command=command,
            aggregated_output=OUTPUT,
            exit_code=0,
        )
        yield _item(n, "completed", "file_change", changes=edited)
        yield _item(n, "completed", "agent_message", text=f"Part {n} reads the date as ISO now.")


def _item(number: int, phase: str, kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  Codex's own fields
    status = "in_progress" if phase == "started" else "completed"
    item = {"id": f"item_{number}", "type": kind, "status": status, **fields}
    return {"type": f"item.{phase}", "item": item}

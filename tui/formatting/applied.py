"""Text about applied changes: where they went, and how they were committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.engine import ApplyResult


def committed(done: ApplyResult, how: str) -> str:
    """Return where a commit went, and how it was made; empty where there is none."""
    if not done.commit or how not in ("commit", "merge"):
        return ""
    into = f" into {done.into}" if done.into else ""
    where = f"merged{into}" if how == "merge" else "committed"
    where += f" as {done.commit[:10]}"
    where += f" on {done.branch}" if how == "commit" and done.branch else ""
    if done.signed is None:  # the commit was there before
        return where
    return f"{where} ({'signed' if done.signed else 'not signed'}; no hooks were run)"

"""The state of a pull request, its checks and its review, as `gh` prints them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from engine.domain.errors import UserError, user_error
from engine.domain.pull_request import (
    CheckSummary,
    PullRequestSeen,
    PullRequestState,
    ReviewDecision,
    number_of,
)
from engine.domain.push import BranchPushed
from engine.domain.text import one_line, printable
from engine.workspaces.git import gh
from engine.workspaces.git.pull_request import repository_of
from engine.workspaces.git.remotes import shown

LIMIT_S = 30.0
NAMES = 10
"""Failing checks that are kept by name."""
NAME_CHARACTERS = 80
_FIELDS = "url,state,isDraft,statusCheckRollup,reviewDecision,headRefOid,commits"
_LISTED = "url,isCrossRepository"
_ADDRESS = re.compile(r"https://([\w.-]+)/[\w.-]+/[\w.-]+/pull/[1-9]\d{0,8}")
_PASSING = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_FAILING = frozenset(
    {"ERROR", "FAILURE", "CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STARTUP_FAILURE"}
)
Entry = Mapping[str, Any]


async def read(program: str, url: str, commit: str, home: Path) -> PullRequestSeen:
    """Return the state of a pull request; raises `UserError` PULL_REQUEST_UNREADABLE.

    `commit` is the one that was pushed last.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise unreadable(f"{shown(url)} is not the address of a pull request")
    words = ["pr", "view", url, "--json", _FIELDS]
    answer = _entry(await _ask(program, words, found[1], home))
    return PullRequestSeen(
        url,
        number_of(url),
        _state(answer),
        summary(_entries(answer.get("statusCheckRollup"))),
        _review(answer),
        commit if commit in _commits(answer) else "",
    )


async def find(program: str, pushed: BranchPushed, home: Path) -> str:
    """Return the address of the newest pull request for a pushed branch, or an empty text.

    Those of forks do not count: a branch there can have any name. Raises `UserError`.
    """
    place = repository_of(pushed.address)
    if place is None:
        return ""
    words = ["pr", "list", "--repo", place[1], "--head", pushed.branch, "--state", "all"]
    answer = await _ask(program, [*words, "--limit", "10", "--json", _LISTED], place[0], home)
    for one in _entries(answer):
        url = one.get("url")
        if one.get("isCrossRepository") is False and isinstance(url, str):
            return url if _ADDRESS.fullmatch(url) else ""
    return ""


def summary(checks: Iterable[Entry]) -> CheckSummary:
    """Count checks; of one that was run again, the last run counts."""
    latest: dict[tuple[str, str], Entry] = {}
    for one in checks:
        key = (_text(one, "workflowName"), _name(one))
        if key not in latest or _text(latest[key], "startedAt") <= _text(one, "startedAt"):
            latest[key] = one
    outcomes = [(_name(one), _outcome(one)) for one in latest.values()]
    failing = [name for name, outcome in outcomes if outcome in _FAILING]
    passing = sum(outcome in _PASSING for _, outcome in outcomes)
    names = tuple(one_line(printable(name), NAME_CHARACTERS) for name in sorted(failing)[:NAMES])
    pending = len(outcomes) - passing - len(failing)
    return CheckSummary(passing, len(failing), pending, names)


def unreadable(reason: str) -> UserError:
    """Return the error of a pull request that cannot be read, for a reason in words."""
    message = f"The pull request could not be read: {reason.rstrip('.')}."
    return user_error("PULL_REQUEST_UNREADABLE", message)


async def _ask(program: str, words: list[str], host: str, home: Path) -> object:
    try:
        code, out, err = await gh.run([program, *words], host, home, limit_s=LIMIT_S)
    except gh.GhFailure as failure:
        raise unreadable(str(failure)) from failure
    if code:
        # Beyond the first line `gh` prints advice and usage.
        reason = one_line(err.strip().partition("\n")[0], 300)
        raise unreadable(shown(reason) or f"gh ended with exit code {code}")
    try:
        return cast("object", json.loads(out))
    except (ValueError, RecursionError):
        raise unreadable("gh did not print JSON") from None


def _state(answer: Entry) -> PullRequestState:
    state = _text(answer, "state").lower()
    if state == PullRequestState.OPEN and answer.get("isDraft") is True:
        return PullRequestState.DRAFT
    known = {one.value: one for one in PullRequestState}
    if state not in known:
        raise unreadable("gh printed no state")
    return known[state]


def _review(answer: Entry) -> ReviewDecision:
    decision = _text(answer, "reviewDecision").lower()
    known = {one.value: one for one in ReviewDecision}
    return known.get(decision, ReviewDecision.NONE)


def _commits(answer: Entry) -> set[str]:
    commits = {_text(one, "oid") for one in _entries(answer.get("commits"))}
    return {*commits, _text(answer, "headRefOid")} - {""}


def _name(check: Entry) -> str:
    return _text(check, "name") or _text(check, "context") or "unnamed"


def _outcome(check: Entry) -> str:
    """Return the result of a check run or of a commit status; empty while there is none."""
    if "state" in check:
        return _text(check, "state")
    return _text(check, "conclusion") if _text(check, "status") == "COMPLETED" else ""


def _text(entry: Entry, name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _entry(value: object) -> Entry:
    return cast("Entry", value) if isinstance(value, dict) else {}


def _entries(value: object) -> list[Entry]:
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [entry for one in found if (entry := _entry(one))]

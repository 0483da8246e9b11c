"""Requests of the app-server for input as events: whole, visible, and with a digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from engine.agents.codex.interactive import input_forms, rule_subject
from engine.agents.codex.interactive.bridge import forms, protocol
from engine.agents.codex.translation import TEXT_LIMIT, unwrapped
from engine.domain.interaction import InputRequest, ProposedChange, RequestKind, RequestPhase
from engine.domain.text import escaped, one_line, printable, printable_name

_KINDS = {
    protocol.COMMAND: RequestKind.COMMAND,
    protocol.PATCH: RequestKind.PATCH,
    protocol.PERMISSIONS: RequestKind.PERMISSIONS,
    protocol.ELICITATION: RequestKind.FORM,
    forms.QUESTION: RequestKind.QUESTION,
}
_OF_ONE = frozenset({"threadId", "turnId", "itemId", "approvalId", "startedAtMs"})
"""Names of one request alone: two that ask for the same have others."""
_OFFERED = frozenset(
    {
        "availableDecisions",
        "commandActions",
        "proposedExecpolicyAmendment",
        "proposedNetworkPolicyAmendments",
    }
)
"""Offers of Codex that are never accepted, and its own reading of the command."""
_SHOWN = frozenset({"kind", "command", "cwd", "reason", "message"})
_REASON_LIMIT = 4000
_encode = msgspec.json.Encoder(order="sorted").encode


def kind_of(method: str, params: dict[str, Any]) -> RequestKind | None:
    """Return the kind of a request; None for one that the bridge refuses."""
    return known_kind(method, params) if protocol.is_answerable(method, params) else None


def known_kind(method: str, params: dict[str, Any]) -> RequestKind | None:
    """Return the kind of a request, also of one whose parameters are malformed."""
    is_tool = protocol.is_approval_of_tool(method, params)
    return RequestKind.TOOL if is_tool else _KINDS.get(method)


def raised(
    name: str,
    method: str,
    params: dict[str, Any],
    changes: Sequence[ProposedChange],
    root: str,
    is_of_agent: bool,
    patch: str = "",
) -> InputRequest:
    """Return the event of a request; `changes` are those of the patch that it names.

    `is_of_agent`: a sub-agent asks. `patch` is the digest of its raw changes. The digest is that
    of all that is asked, without escapes, the folder relative to the workspace: so the same request
    of runs in different workspaces has the same one.
    """
    kind = known_kind(method, params)
    assert kind
    asked = {
        key: value
        for key, value in params.items()
        if value is not None and key not in _OF_ONE and key not in _OFFERED
    }
    if isinstance(cwd := asked.get("cwd"), str):
        asked["cwd"] = within(root, cwd)
    if is_of_agent:
        asked["subAgent"] = True
    form = input_forms.form_of(kind, method, params)
    rest = {key: value for key, value in asked.items() if key not in _SHOWN}
    rest = {key: value for key, value in rest.items() if key not in form.shown} | form.rest
    if asked.get("kind") not in (None, "command"):
        rest["kind"] = asked["kind"]  # input for a command, for instance, is shown as such
    command = asked.get("command")
    command = escaped(command) if isinstance(command, str) else None
    details = escaped(_encode(rest).decode()) if rest and rest != _USUAL else ""
    whole = (command or "", details, form.message, *(change.diff for change in changes))
    said = printable(str(asked.get("reason") or asked.get("message") or ""), _REASON_LIMIT)
    return InputRequest(
        name,
        RequestPhase.RAISED,
        kind,
        text=form.text or _summary(kind, command, changes, details, asked),
        reason=form.message[:TEXT_LIMIT] if kind is RequestKind.FORM else said,
        command=command and command[:TEXT_LIMIT],
        cwd=printable_name(asked["cwd"]) if isinstance(asked.get("cwd"), str) else None,
        changes=tuple(changes),
        details=details[:TEXT_LIMIT],
        digest=_digest(method, asked, changes, patch),
        is_cut=form.is_cut or any(len(text) > TEXT_LIMIT for text in whole),
        subject=() if is_of_agent else rule_subject.of(kind, params, changes, rest, root),
        fields=form.fields,
        url=form.url,
        server=form.server,
    )


_USUAL = rule_subject.USUAL_DETAILS


def _digest(
    method: str, asked: dict[str, Any], changes: Sequence[ProposedChange], patch: str
) -> str:
    # The changes as they are shown are not enough: an escape looks like the text of one.
    shown = [_mirror(change) for change in changes]
    whole = {"method": method, "asked": asked, "changes": shown, "patch": patch}
    return hashlib.sha256(_encode(whole)).hexdigest()


def _mirror(change: ProposedChange) -> list[object]:
    return [change.path, change.change, change.diff, change.outside]


def _summary(
    kind: RequestKind,
    command: str | None,
    changes: Sequence[ProposedChange],
    details: str,
    asked: dict[str, Any],
) -> str:
    if kind is RequestKind.COMMAND:
        return one_line(unwrapped(command or ""))
    if kind is RequestKind.PATCH:
        return one_line(", ".join(change.path for change in changes))
    if kind is RequestKind.TOOL:
        meta = cast("dict[str, Any]", asked.get("_meta") or {})
        tool = meta.get("tool_name")
        named = f"{asked.get('serverName') or '?'}.{tool}" if tool else asked.get("serverName")
        return one_line(str(named or "?"))
    return one_line(details)


def proposed(path: str, change: str, diff: str, root: str) -> ProposedChange:
    """Return a change of a patch; links in the workspace are followed to see where it leads."""
    real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118  one call per path, no objects
    real_root = os.path.realpath(root)
    outside = os.path.commonpath((real, real_root)) != real_root
    return ProposedChange(printable_name(within(root, path)), change, escaped(diff), outside)


def within(root: str, path: str) -> str:
    """Return a path relative to the workspace; any other unchanged."""
    root = root.rstrip("/")
    if not root:
        return path
    inner = path.removeprefix(f"{root}/")
    # With two slashes the rest would be another, absolute path.
    return "." if path == root else path if inner.startswith("/") else inner

"""The requests that approval rules answer.

A rule approves only what it names, read strictly; it denies widely. Deny wins over approve. No rule
approves a request for permissions or the network, one that is too long to be shown whole, or one
with characters that cannot be seen: those have no `subject`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from posixpath import commonpath, isabs, join, normpath, relpath

from engine.domain import simple_command
from engine.domain.approval_rules import ApprovalRule, RuleOrigin, RuleScope
from engine.domain.errors import user_error
from engine.domain.interaction import Decision, InputRequest, RequestKind
from engine.domain.model import Run
from engine.domain.text import escaped

KINDS = (RequestKind.COMMAND, RequestKind.PATCH, RequestKind.TOOL)
POSIX_SHELLS = frozenset({"bash", "sh"})
"""Shells whose simple commands `simple_command` reads."""
MATCH_CHARACTERS = 4000


def decide(run: Run, request: InputRequest, rules: Iterable[ApprovalRule]) -> ApprovalRule | None:
    """Return the rule that answers a request of a run: one that denies before one that approves."""
    found = [rule for rule in rules if covers(rule, run) and matches(rule, request, _roots(run))]
    return next((rule for rule in found if rule.is_deny), found[0] if found else None)


def covers(rule: ApprovalRule, run: Run) -> bool:
    """Return whether a rule is for a run."""
    names = {
        RuleScope.RUN: run.id,
        RuleScope.BATCH: run.spec.batch,
        RuleScope.PROJECT: run.spec.project,
    }
    name = names.get(rule.scope)
    if rule.origin is RuleOrigin.SETTINGS and rule.scope is RuleScope.PROJECT:
        # The name of the folder denies, too. It approves nothing: other projects may have it.
        folder = run.spec.project.rpartition("/")[2] if rule.is_deny else name
        return rule.scope_id in (name, folder)
    return rule.scope is RuleScope.HOME or name == rule.scope_id


def matches(rule: ApprovalRule, request: InputRequest, roots: Sequence[str] = ()) -> bool:
    """Return whether a rule answers a request; `roots` are the folders of its workspace."""
    if rule.kind is not request.kind or not rule.match or problem(rule):
        return False
    if rule.is_deny:
        return _denies(rule, request, roots)
    if request.is_cut or not request.subject:
        return False
    match rule.kind:
        case RequestKind.COMMAND:
            return _approves_command(rule, *request.subject)
        case RequestKind.PATCH:
            return all(_approves_path(rule, path) for path in request.subject)
        case RequestKind.TOOL:
            return rule.match == request.subject
        case _:
            return False


def problem(rule: ApprovalRule) -> str:
    """Return why a rule cannot be, as a sentence; empty for a valid one."""
    if rule.kind not in KINDS or not rule.scope.is_known:
        return "Rules answer requests for commands, patches and tools."
    if rule.decision not in (Decision.APPROVE, Decision.DENY):
        return "A rule approves or denies."
    text = "".join(rule.match)
    if not text.strip() or len(text) > MATCH_CHARACTERS:
        return "A rule needs a text of up to 4000 characters."
    if escaped(text) != text or not set("\n\t").isdisjoint(text):
        return "A rule has no control characters and no characters that cannot be seen."
    if rule.kind is RequestKind.TOOL and not 1 + (not rule.is_deny) <= len(rule.match) <= 2:
        return "A rule for a tool names its MCP server and the tool."
    if rule.is_deny and rule.kind is RequestKind.COMMAND and not simple_command.has_words(text):
        return "A rule that denies commands names words of them."
    return _denial_problem(rule) if rule.is_deny else _approval_problem(rule)


def check(rule: ApprovalRule) -> None:
    """Raise `UserError` for a rule that cannot be."""
    if reason := problem(rule):
        raise user_error("INPUT_INVALID", reason, "Answer each such request by itself.")


def _denial_problem(rule: ApprovalRule) -> str:
    """Return why a rule would never deny anything."""
    if rule.kind is not RequestKind.PATCH:
        return ""
    path = rule.match[0]
    if ".." in path.split("/"):
        return "The path of a rule has no `..`."
    if path.startswith("~") or not set("*?").isdisjoint(path):
        return "The path of a rule is compared as it is: without `~` and wildcards."
    return ""


def _approval_problem(rule: ApprovalRule) -> str:
    if rule.kind is RequestKind.COMMAND and rule.is_prefix:
        words = simple_command.parse(" ".join(rule.match))
        if words != rule.match:
            return "The beginning of a command is made of plain words."
        if simple_command.runs_anything(rule.match):
            name = " ".join(rule.match)
            return f"Commands that begin with `{name}` can run any program."
    if rule.kind is RequestKind.PATCH and not _is_plain_path(rule.match[0]):
        return "The path of a rule is relative, without `..` and without hidden files or folders."
    return ""


def match_of(
    kind: RequestKind, words: Sequence[str], decision: Decision, *, is_prefix: bool
) -> tuple[str, ...]:
    """Return the `match` of a rule that is written as text."""
    if kind is RequestKind.COMMAND and is_prefix and decision is Decision.APPROVE:
        return simple_command.parse(" ".join(words)) or tuple(words)
    return tuple(words)


# What a rule matches


def _approves_command(rule: ApprovalRule, shell: str, script: str) -> bool:
    if rule.is_prefix:
        return shell in POSIX_SHELLS and simple_command.begins_with(script, rule.match)
    return rule.match == (script,)


def _approves_path(rule: ApprovalRule, path: str) -> bool:
    if not _is_plain_path(path):
        return False
    folder = rule.match[0].rstrip("/")
    if not rule.is_prefix:
        return path == folder
    return folder == "." or path.startswith(f"{folder}/")


def _is_plain_path(path: str) -> bool:
    """Return whether a path leads to visible files below the workspace.

    Hidden files often decide what runs later: hooks, settings of tools, workflows.
    """
    if path == ".":
        return True
    return not any(part == "" or part.startswith(".") for part in path.rstrip("/").split("/"))


def _denies(rule: ApprovalRule, request: InputRequest, roots: Sequence[str]) -> bool:
    match rule.kind:
        case RequestKind.COMMAND:
            script = request.subject[1] if request.subject else request.command or ""
            return simple_command.contains(script, " ".join(rule.match))
        case RequestKind.PATCH:
            paths = [*request.subject, *(change.path for change in request.changes)]
            every = {name for path in paths for name in _names(path, roots)}
            return any(_is_below(path, rule.match[0]) for path in every)
        case _:
            named = ".".join(rule.match)
            return request.text == named or (
                len(rule.match) == 1 and request.text.startswith(f"{named}.")
            )


def _roots(run: Run) -> tuple[str, ...]:
    """Return the folders of a run's workspace and of its source, and those to work in."""
    made, asked = run.workspace, run.spec.workspace
    found = [(made.path, made.cwd)] if made else []
    found.append((asked.source or "", asked.cwd or ""))
    whole = [folder for root, cwd in found if isabs(root) for folder in (root, join(root, cwd))]
    return tuple(dict.fromkeys(map(normpath, whole)))


def _names(path: str, roots: Sequence[str]) -> Iterator[str]:
    """Yield a path as it is, and as seen from each root: absolute and relative."""
    yield path
    for root in roots:
        whole = _normal(join(root, path))
        yield whole
        if _is_below(whole, root):
            inner = relpath(whole, _normal(root))
            yield inner
            yield from (join(other, inner) for other in roots)


def _is_below(path: str, folder: str) -> bool:
    folder, path = _normal(folder), _normal(path)
    return folder == "." or path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _normal(path: str) -> str:
    """Return a path in its shortest form, in lower case."""
    plain = normpath(path.casefold())
    return f"/{plain.lstrip('/')}" if plain.startswith("/") else plain


# Possible rules


def possible(run: Run, request: InputRequest) -> list[ApprovalRule]:
    """Return the rules that could answer requests like this one, the narrowest first."""
    scopes = [(RuleScope.RUN, run.id)]
    if run.spec.batch:
        scopes.append((RuleScope.BATCH, run.spec.batch))
    scopes.append((RuleScope.PROJECT, run.spec.project))
    found: list[ApprovalRule] = []
    for scope, name in scopes:
        for decision in (Decision.APPROVE, Decision.DENY):
            for match, is_prefix in _forms(request):
                kind = request.kind or RequestKind.COMMAND
                found.append(ApprovalRule(kind, match, scope, name, decision, is_prefix))
    roots = _roots(run)
    return [rule for rule in found if covers(rule, run) and matches(rule, request, roots)]


def _forms(request: InputRequest) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield what rules like this request match, and whether that is its beginning only."""
    match request.kind:
        case RequestKind.COMMAND:
            script = request.subject[1] if request.subject else request.command or ""
            yield (script,), False
            if words := simple_command.parse(script):
                yield simple_command.usual_prefix(words), True
        case RequestKind.PATCH:
            paths = request.subject or tuple(change.path for change in request.changes)
            if len(set(paths)) == 1:
                yield (paths[0],), False
            yield from (((folder,), True) for folder in _folders(paths))
        case RequestKind.TOOL:
            yield request.subject or (request.text,), False
        case _:
            pass


def _folders(paths: Sequence[str]) -> list[str]:
    parents = [path.rpartition("/")[0] or "." for path in paths]
    if not parents or len({path.startswith("/") for path in parents}) == 2:
        return []
    return [commonpath(parents) or "."]

"""All about one run, as names and texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.domain.account import account_name, has_account
from engine.domain.activity import clock, took
from engine.domain.budget import amount_words
from engine.domain.events import ErrorRaised, Event, StatusChanged, iso
from engine.domain.hosts import host_of, is_remote, place_text
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status, Usage, WorkspaceSpec
from engine.domain.radar import Overlap
from engine.domain.spend import flag_words
from tui.formatting.interaction import message_line
from tui.formatting.money import cost_label
from tui.formatting.numbers import changed, lasted
from tui.formatting.pull_request import request_facts
from tui.formatting.runs import title, word
from tui.terminal.cells import clean

PATHS = 5
"""Paths that are named of an overlap."""


def facts(
    run: Run,
    now: float,
    doing: str,
    overlaps: Sequence[Overlap] = (),
    cost_usd: float | None = None,
    family: Sequence[tuple[str, str]] = (),
) -> list[tuple[str, str]]:
    """Return the known facts of a run, a line each with a name; empty ones are left out.

    `doing` is its activity in words, `cost_usd` its estimated cost, `family` its `family_facts`.
    """
    spec, usage, place = run.spec, run.usage, run.workspace
    times = [
        ("created", run.created_at),
        ("started", run.started_at),
        ("finished", run.finished_at),
    ]
    found = [
        ("id", run.id),
        ("title", title(run)),
        ("status", word(run.status)),
        ("activity", doing),
        *_limits(run, now),
        ("tags", ", ".join(run.tags)),
        ("note", run.note),
        ("put aside", put_aside(run)),
        ("comments", comments(run)),
        ("progress", f"{run.percent}%"),
        ("elapsed", lasted(run, now)),
        ("attempt", str(run.attempt)),
        ("checkpoint", str(run.checkpoint or "")),
        *((name, iso(at)) for name, at in times if at is not None),
        ("agent", spec.agent.value),
        ("project", spec.project),
        ("forked from", spec.fork.run if spec.fork else ""),
        *family,
        ("template", spec.template or ""),
        ("batch", spec.batch or ""),
        ("given", ", ".join(f"{name}={value}" for name, value in spec.given.items())),
        ("model", spec.model or run.model),
        ("account", account_name(run) if has_account(run) else ""),
        ("node", host_of(run) if is_remote(run) else ""),
        ("sandbox", spec.sandbox.value),
        ("mode", mode(run)),
        ("workspace", f"{place_text(place)} ({place.kind})" if place else ""),
        ("folder", (place.cwd if place else spec.workspace.cwd) or ""),
        ("deleted", "in the trash, as long as that holds it" if run.in_trash else ""),
        ("source", (place.source or "") if place else ""),
        ("branch", (place.branch or "") if place else ""),
        ("base", base(spec.workspace)),
        ("images", "\n".join(spec.images)),
        ("add folders", "\n".join(spec.add_dirs)),
        ("schema", "the answer must fit one" if spec.output_schema else ""),
        ("thread", run.thread_id or ""),
        ("expensive", flag_words(run.spend_flag) if run.spend_flag else ""),
        ("tokens", used_tokens(usage)),
        ("cost", cost_label(cost_usd)),
        ("changes", changed(run)),
        ("applied", applied(run)),
        ("updated", updated(run)),
        ("pushed", pushed(run)),
        ("pull request", request_facts(run)),
        ("overlaps", "\n".join(overlap(one) for one in overlaps)),
        ("exit code", "" if run.exit_code is None else str(run.exit_code)),
        ("learned from", spec.learn_from or ""),
        ("hints", spec.lesson),
        ("plan", "\n".join(f"[{'x' if one.completed else ' '}] {one.text}" for one in run.plan)),
        ("prompt", spec.prompt.strip()),
        ("attempt prompt", run.attempt_prompt.strip()),
        ("messages", "\n".join(map(message_line, run.messages))),
        ("result", run.result or ""),
    ]
    return [(name, text) for name, text in found if text]


def used_tokens(usage: Usage) -> str:
    """Return all counts of a run's tokens; older runs have no requests, and no reasoning tokens."""
    if not (usage.input or usage.output):
        return ""
    used = f"{usage.input} in ({usage.cached} cached), {usage.output} out"
    if not usage.requests:
        return used
    unit = "request" if usage.requests == 1 else "requests"
    return f"{used} ({usage.reasoning} reasoning), {usage.requests} {unit}"


def put_aside(run: Run) -> str:
    """Return whether the user dismissed or archived the run."""
    words = {"dismissed": run.is_dismissed, "archived": run.is_archived}
    return ", ".join(name for name, is_set in words.items() if is_set)


def mode(run: Run) -> str:
    """Return the mode of the run's attempt, and when its agent asks."""
    return f"interactive, asks {run.approval_policy}" if run.is_interactive else "exec"


def comments(run: Run) -> str:
    """Return the numbers of comments that wait to be sent, and that were sent."""
    waiting = sum(one.is_open for one in run.comments)
    sent = len(run.comments) - waiting
    counts = {f"{waiting} to send": waiting, f"{sent} sent": sent}
    return ", ".join(words for words, count in counts.items() if count)


def base(wish: WorkspaceSpec) -> str:
    """Return the commit that a run starts from, with the name it was given."""
    return (
        f"{clean(wish.base or 'HEAD', 250)} ({wish.base_commit[:12]})" if wish.base_commit else ""
    )


def applied(run: Run) -> str:
    """Return the applied changes of the run, and whether it has newer ones."""
    done = run.applied
    if done is None:
        return ""
    how = f"as {'edits' if done.how == 'edits' else f'a {done.how}'}"
    commit = f", {done.commit[:10]}" if done.commit else ""
    more = "" if run.is_applied else "; it has changed since"
    return f"{how} to {done.to}{commit}, {iso(done.at)}{more}"


def updated(run: Run) -> str:
    """Return the newest commit of its base that the workspace was moved onto."""
    done = run.updated
    if done is None:
        return ""
    left = ", ".join(clean(path, 100) for path in done.conflicts[:PATHS])
    more = f" and {len(done.conflicts) - PATHS} more" if len(done.conflicts) > PATHS else ""
    is_over = run.status in FINISHED
    state = "conflicts left" if is_over else "in conflict"
    conflicts = f"\n{state}: {left}{more}" if left else ""
    return f"to {clean(done.base, 250)} ({done.new[:12]}){conflicts}"


def pushed(run: Run) -> str:
    """Return the remote that has the run's branch, and where to open a pull request."""
    done = run.pushed
    if done is None:
        return ""
    where = f"{done.branch} to {done.remote}, {done.commit[:10]}"
    return where if done.pull_request else f"{where}\n{done.web_address}"


def overlap(one: Overlap) -> str:
    """Return the runs that overlap with this one, and the files where they do."""
    named = ", ".join(clean(path, 100) for path in one.paths[:PATHS])
    more = f" and {len(one.paths) - PATHS} more" if len(one.paths) > PATHS else ""
    return f"{one.run}: {named}{more}"


def attempts(events: Iterable[Event]) -> list[tuple[int, str, Status]]:
    """Return a run's attempts by number, each with its outcome and duration."""
    begun: dict[int, float] = {}
    codes: dict[int, str] = {}
    found: dict[int, tuple[int, str, Status]] = {}
    for event in events:
        body, n = event.body, event.attempt
        if isinstance(body, ErrorRaised):
            codes[n] = body.error.code
        if not isinstance(body, StatusChanged):
            continue
        if body.status is Status.PREPARING:
            begun[n] = event.at
        over = body.status in FINISHED and n in begun
        after = f" after {took(event.at - begun[n])}" if over else ""
        reason = codes.get(n) or clean(body.reason, 200)
        why = f" · {reason}" if reason else ""
        found[n] = (n, f"{word(body.status)}{after}{why}", body.status)
    return list(found.values())


def _limits(run: Run, now: float) -> list[tuple[str, str]]:
    """Return the limits of the run, and the usage of the plan's windows as last reported."""
    spec = run.spec
    windows: list[str] = []
    for window in run.limits:
        left = "" if window.resets_at is None else f", resets in {clock(window.resets_at - now)}"
        windows.append(f"{window.name} {window.used_percent:g}% used{left}")
    return [
        ("time limit", "" if spec.timeout_s is None else clock(spec.timeout_s)),
        ("budget", amount_words(spec.budget.amount, spec.budget.unit) if spec.budget else ""),
        ("retries", f"{run.retries_used} of {spec.retries} used" if spec.retries else ""),
        ("priority", str(spec.priority or "")),
        ("after", ", ".join(spec.after)),
        ("limits", "\n".join(windows)),
    ]

"""The pull request of a run as text: in a column, among the facts and in the log."""

from __future__ import annotations

from engine.domain.model import Run
from engine.domain.pull_request import (
    CheckSummary,
    PullRequestSeen,
    PullRequestState,
    current_url,
    number_of,
)
from tui.formatting.symbols import sign
from tui.terminal.cells import clean

S = PullRequestState
STATE_TONES = {S.OPEN: "plain", S.DRAFT: "dim", S.MERGED: "good", S.CLOSED: "dim"}
NAMES = 5
"""Failing checks that are named among the facts."""


def request_cell(run: Run) -> tuple[str, str]:
    """Return the pull request of a run in a few characters, and its tone; empty without one."""
    url = current_url(run)
    if not url:
        return "", "dim"
    known, number = run.pull_request, f"#{number_of(url)}"
    if known is None or known.state is S.UNKNOWN:
        return f"{number} ?", "dim"
    if known.has_ended:
        return f"{number} {known.state}", STATE_TONES.get(known.state, "dim")
    words = [number, *(["draft"] if known.state is S.DRAFT else [])]
    checks, tone = check_words(known.checks)
    return clean(" ".join([*words, *([checks] if checks else [])])), tone


def check_words(checks: CheckSummary) -> tuple[str, str]:
    """Return the checks in a few characters, and their tone: `✓ 5/5`, `✗ lint`, `… 3/5`."""
    if not checks.total:
        return "", "plain"
    if checks.failing:
        name = checks.names[0] if checks.names else ""
        more = f" +{checks.failing - 1}" if checks.failing > 1 else ""
        return f"{sign('✗', 'x')} {name}{more}", "bad"
    figures = f"{checks.passing}/{checks.total}"
    return (f"… {figures}", "warn") if checks.pending else (f"{sign('✓', 'ok')} {figures}", "good")


def request_facts(run: Run) -> str:
    """Return all about the pull request of a run, a line each; empty without one."""
    url, known = current_url(run), run.pull_request
    if not url:
        return ""
    if known is None:
        return f"{url}\nnot read yet"
    return "\n".join([f"#{known.number} {state_words(known)}", *_details(known), url])


def state_words(known: PullRequestSeen) -> str:
    """Return the state, the decision of the reviewers and the checks in words."""
    state = "not read yet" if known.state is S.UNKNOWN else known.state.value
    if known.has_ended:
        return state
    return " · ".join(
        part for part in (state, known.review.value.replace("_", " "), _counts(known)) if part
    )


def _details(known: PullRequestSeen) -> list[str]:
    checks = known.checks
    more = f" and {checks.failing - NAMES} more" if checks.failing > NAMES else ""
    named = ", ".join(clean(name, 80) for name in checks.names[:NAMES])
    failing = [f"failing: {named}{more}"] if checks.failing and not known.has_ended else []
    problem = [f"not current: {clean(known.problem, 300)}"] if known.problem else []
    return [*failing, *problem]


def _counts(known: PullRequestSeen) -> str:
    checks = known.checks
    parts = [f"{checks.passing}/{checks.total} checks pass"] if checks.total else []
    parts += [f"{checks.failing} failing"] if checks.failing else []
    parts += [f"{checks.pending} pending"] if checks.pending else []
    return ", ".join(parts)

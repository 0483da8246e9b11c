"""The state of a run's pull request, as `gh` read it last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.domain.push import BranchPushed

_NUMBER = re.compile(r"/pull/(\d{1,9})/?$")


class PullRequestState(OpenEnum):
    """The states of a pull request; `unknown` is one that was never read."""

    UNKNOWN = "unknown"
    OPEN = "open"
    DRAFT = "draft"
    MERGED = "merged"
    CLOSED = "closed"


ENDED = frozenset({PullRequestState.MERGED, PullRequestState.CLOSED})
"""States of pull requests that are no longer read."""


class ReviewDecision(OpenEnum):
    """The decisions of the reviewers of a pull request."""

    NONE = ""
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REVIEW_REQUIRED = "review_required"


@record
class CheckSummary:
    """The checks of a pull request, counted; `names` are the first of those that fail."""

    passing: int = 0
    failing: int = 0
    pending: int = 0
    names: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The number of all checks."""
        return self.passing + self.failing + self.pending


@record
class PullRequestSeen:
    """The state of the run's pull request, where it differs from the one before.

    `commit` is the commit that was pushed, if the pull request is known to have it. `problem` is
    the reason why it could not be read again; all else is as it was read last.
    """

    type: ClassVar[str] = "pull_request"
    url: str
    number: int
    state: PullRequestState = PullRequestState.UNKNOWN
    checks: CheckSummary = CheckSummary()
    review: ReviewDecision = ReviewDecision.NONE
    commit: str = ""
    problem: str = ""

    @property
    def has_ended(self) -> bool:
        """Return whether it was merged or closed."""
        return self.state in ENDED


def number_of(url: str) -> int:
    """Return the number of a pull request by its address; 0 where it has none."""
    found = _NUMBER.search(url)
    return int(found[1]) if found else 0


def current_url(run: Run) -> str:
    """Return the address of the run's pull request; empty where it has none."""
    if run.pull_request:
        return run.pull_request.url
    return run.pushed.pull_request if run.pushed else ""


def url_after_push(run: Run, address: str, branch: str, commit: str) -> str:
    """Return the address of the pull request that has what is pushed now; empty where none does.

    A merged or closed one takes no further commits.
    """
    before, known = run.pushed, run.pull_request
    if before is None or (before.address, before.branch) != (address, branch):
        return ""
    is_over = known is not None and known.has_ended and commit != before.commit
    return "" if is_over else current_url(run)


def push(run: Run, body: BranchPushed) -> None:
    """Fold a push into a run: a pull request of another push is no longer the run's."""
    if run.pull_request and run.pull_request.url != body.pull_request:
        run.pull_request = None
    run.pushed = body


def is_closed(run: Run) -> bool:
    """Return whether the run's pull request was closed without a merge: another can be opened."""
    return run.pull_request is not None and run.pull_request.state is PullRequestState.CLOSED


def is_merged(run: Run) -> bool:
    """Return whether all changes of the run so far were merged by its pull request."""
    known, pushed = run.pull_request, run.pushed
    if known is None or pushed is None or known.state is not PullRequestState.MERGED:
        return False
    if run.uncheckpointed or run.has_unknown_changes or pushed.checkpoint is None:
        return False
    return known.commit == pushed.commit and pushed.checkpoint == run.checkpoint


def is_followed(run: Run) -> bool:
    """Return whether the run has a pull request that may still change."""
    is_over = run.pull_request is not None and run.pull_request.has_ended
    return bool(current_url(run)) and not is_over and not run.is_archived


def words_of(run: Run) -> tuple[str, ...]:
    """Return the words by which a filter finds the run's pull request."""
    known = run.pull_request
    if known is None:
        return (PullRequestState.UNKNOWN.value,) if current_url(run) else ()
    words = [known.state.value]
    if known.state is PullRequestState.DRAFT:
        words.append(PullRequestState.OPEN.value)
    if known.has_ended:
        return tuple(words)
    checks = known.checks
    if checks.total:
        words.append("failing" if checks.failing else "pending" if checks.pending else "passing")
    if known.review:
        words.append(known.review.value.replace("_", "-"))
    return tuple(words)


WORDS = (
    *("open", "draft", "merged", "closed", "failing", "pending", "passing"),
    *("approved", "changes-requested", "review-required", "unknown"),
)
"""All words that `words_of` can return."""

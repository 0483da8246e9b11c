"""A run's branch on a remote."""

from __future__ import annotations

from typing import ClassVar

from engine.domain.record import record


@record
class BranchPushed:
    """The run's changes were pushed: the remote, its address without a password, and the branch.

    `web_address` shows the branch, or opens a pull request. `pull_request` is the address of the
    one that was opened. `checkpoint` is the state of the workspace that was pushed.
    """

    type: ClassVar[str] = "push"
    remote: str
    address: str
    branch: str
    commit: str
    web_address: str = ""
    pull_request: str = ""
    checkpoint: int | None = None

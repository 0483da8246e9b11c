"""The record of a workspace in the trash: enough to restore it."""

from __future__ import annotations

import msgspec

from engine.domain.model import Workspace, WorkspaceKind


class TrashEntry(msgspec.Struct, frozen=True):
    """An entry of the trash."""

    id: str
    run: str
    project: str
    title: str
    path: str
    """Path at which it was."""
    kind: str
    at: float
    """Time at which it was put there, in seconds since 1970."""
    source: str | None = None
    branch: str | None = None
    tip: str | None = None
    """The commit its branch stood at."""
    detached: str | None = None
    """The commit it had checked out, where that was not its branch."""
    is_only_here: bool = False
    """True if it holds work that is nowhere else, not even as a patch beside the run."""
    together: str = ""
    """The same for all that one clean-up took: they come back together."""
    keeps_branch: bool = False
    """True if its branch stays in the repository: it alone holds commits that were applied."""
    upstream: tuple[tuple[str, str], ...] = ()
    """The repository's settings of its branch: names and values."""
    is_settled: bool = False
    """True if the repository it came from has forgotten it."""

    @property
    def workspace(self) -> Workspace:
        """The workspace that it was."""
        return Workspace(self.path, WorkspaceKind.read(self.kind), self.source, self.branch)

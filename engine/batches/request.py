"""A batch as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.budget import Budget
from engine.domain.model import RunSpec, WorkspaceSpec


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request for a batch."""

    spec: RunSpec
    """Spec that holds for all its runs; prompt and title may name columns: `{{ city }}`."""
    said: frozenset[str] = frozenset()
    """The fields that the user set: they come before a template's."""
    template: str | None = None
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    file: Path | None = None
    matrix: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    count: int = 1
    name: str | None = None
    budget: Budget | None = None
    usual: Callable[[Path], WorkspaceSpec] | None = None
    """Returns the workspace for a repository in a row, where no kind was requested."""
    text: str | None = None
    """The content of the file, where it was sent with the request and is in no folder."""
    is_sent: bool = False
    """True if a client sent it: the current folder of this process means nothing to it."""

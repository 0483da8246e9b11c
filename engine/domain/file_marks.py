"""Files of a run that the user marked as reviewed, as long as their content is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from engine.domain.record import record
from engine.domain.review_comment import stored_path

if TYPE_CHECKING:
    from engine.domain.model import Run

# All marks of a run are written with each change of its state.
MAX_MARKS = 2000


@record
class ReviewedFile:
    """A file as it was reviewed; `fingerprint` is that of its change, empty: not marked.

    `path` is relative to the workspace; `path_bytes` is its name in hexadecimal where that is not
    UTF-8.
    """

    path: str
    fingerprint: str
    path_bytes: str = ""

    @property
    def file(self) -> str:
        """The path as `os.fsdecode` returns it."""
        if not self.path_bytes:
            return self.path
        return bytes.fromhex(self.path_bytes).decode("utf-8", "surrogateescape")


@record
class FilesReviewed:
    """The user marked files as reviewed, or removed their marks."""

    type: ClassVar[str] = "files_reviewed"
    files: tuple[ReviewedFile, ...]


def mark(run: Run, marks: Mapping[str, str]) -> Sequence[FilesReviewed]:
    """Mark files, each with the fingerprint of its change; an empty one removes the mark."""
    known = {one.file: one.fingerprint for one in run.reviewed}
    changed = [
        ReviewedFile(stored, fingerprint, path_bytes)
        for path, fingerprint in marks.items()
        if known.get(path, "") != fingerprint
        for stored, path_bytes in [stored_path(path)]
    ]
    return [FilesReviewed(tuple(changed))] if changed else []


def apply(run: Run, change: FilesReviewed) -> None:
    """Fold changed marks into the run; where there are too many, the oldest go."""
    changed = {one.file for one in change.files}
    kept = [one for one in run.reviewed if one.file not in changed]
    new = [one for one in change.files if one.fingerprint]
    run.reviewed = tuple([*kept, *new][-MAX_MARKS:])

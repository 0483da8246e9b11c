"""A batch as it is being written: what was typed, what is wrong with it, the same as a command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.budget import Budget, read_budget
from engine.domain.model import Sandbox
from tui.models.draft import Draft, read_copies
from tui.models.fields import FIELDS
from tui.models.named_paths import absolute

if TYPE_CHECKING:
    from engine.engine import BatchRequest

LINES = (
    ("params", "Parameters", "path=src style=short: for all runs"),
    ("file", "Rows from", "none · a .csv, .jsonl or .yaml file, or a flow of steps"),
    ("matrix", "Matrix", "none · path=src,lib model=a,b: all combinations"),
    ("count", "Copies", "1 · runs of each task; the best wins"),
    ("name", "Name", "the template's or the file's"),
    ("verify", "Check", "the template's · a command"),
    ("total-budget", "Total budget", "none · 2M tokens, $20, 10% of the week for all together"),
)
"""The lines to type: their ids, labels and hints."""
LABELS = {id: label for id, label, _ in LINES}
OPTIONS = tuple(each for each in FIELDS if each.name not in ("title", *LABELS))
"""The options of a run that hold for all of them; it makes their titles itself."""


@dataclass(slots=True)
class BatchDraft:
    """Fields of the form of a batch so far; `run` has the options of each run."""

    run: Draft
    template: str | None = None
    typed: dict[str, str] = field(default_factory=dict[str, str])

    def text(self, id: str) -> str:
        """Return the text of a line."""
        return self.typed.get(id, "").strip()

    def problems(self, now: float) -> Iterator[tuple[str, str]]:
        """Return the id of each invalid field, with a message."""
        if not (self.template or self.run.prompt.strip() or self.text("file")):
            yield "prompt", "Choose a template, write a prompt, or name a file."
        for id, problem in self.run.problems(now):
            if id != "prompt":
                yield id, problem
        for id in ("params", "matrix"):
            try:
                self.pairs(id)
            except ValueError as error:
                yield id, f"{LABELS[id]}: {error}."
        try:
            self.count()
        except ValueError as error:
            yield "count", f"Copies: {error}."
        try:
            self.budget()
        except ValueError as error:
            yield "total-budget", f"Total budget: {error}."

    def pairs(self, id: str) -> dict[str, str]:
        """Read words of the form KEY=VALUE; raises ValueError."""
        found: dict[str, str] = {}
        try:
            words = shlex.split(self.text(id))
        except ValueError:
            raise ValueError("missing closing quote") from None
        for word in words:
            key, equals, value = word.partition("=")
            if not key or not equals:
                raise ValueError("expected KEY=VALUE, separated by spaces")
            found[key] = value
        return found

    def count(self) -> int:
        """Read how many copies; raises ValueError."""
        return read_copies(self.text("count"))

    def budget(self) -> Budget | None:
        """Read what all may use together; raises ValueError."""
        text = self.text("total-budget")
        return read_budget(text) if text else None

    def order(self, sandbox: Sandbox, now: float) -> BatchRequest:
        """Return the request; raises ValueError, and `UserError` for the matrix."""
        from engine.engine import BatchRequest, read_matrix

        spec = self.run.spec(sandbox, now)
        said = self.run.said() - {"title"} | ({"verify"} if self.text("verify") else set[str]())
        spec = replace(spec, title="", verify=self.text("verify") or spec.verify)
        file = self.text("file")
        return BatchRequest(
            spec,
            frozenset(said),
            self.template,
            self.pairs("params"),
            Path(absolute(file)) if file else None,
            read_matrix([f"{key}={value}" for key, value in self.pairs("matrix").items()]),
            self.count(),
            self.text("name") or None,
            self.budget(),
        )

    def command_line(self) -> str:
        """Write the command line that would do the same."""
        words = ["swarm-tui", "batch"]
        if self.template:
            words += ["-t", self.template]
        for word in shlex.split(self.text("params")):
            words += ["-p", word]
        if self.text("file"):
            words += ["--from", self.text("file")]
        for word in shlex.split(self.text("matrix")):
            words += ["--matrix", word]
        for id in ("count", "name", "verify", "total-budget"):
            if self.text(id):
                words += [f"--{id}", self.text(id)]
        rest = self.run.command()[2:]
        prompt = rest.pop()
        words += [word for word in rest if word != "--"]
        return shlex.join([*words, *([prompt] if prompt.strip() else [])])

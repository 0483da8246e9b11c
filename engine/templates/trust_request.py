"""Trust requests of a repository's template, combined into one question."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from engine.config.settings import WatchdogSettings
from engine.domain.consent import TrustConcern, TrustItem, TrustRequest
from engine.domain.model import RunSpec
from engine.domain.text import printable_name
from engine.templates.template import Template, fields_of, own_base
from engine.trust.loosening import command, looser

TEMPLATE = "TEMPLATE_NOT_TRUSTED"
_MARKERS = (".git/HEAD", ".hg", ".svn", ".jj", ".swarm")


def project_of(file: Path) -> Path | None:
    """Return the nearest folder above a file that is the top of a project, if there is one."""
    return next((at for at in file.parents if _is_project(at)), None)


def _is_project(folder: Path) -> bool:
    # A linked worktree has a file in the place of the folder `.git`.
    is_linked = (folder / ".git").is_file()
    return is_linked or any(os.path.lexists(folder / name) for name in _MARKERS)


def of_template(
    template: Template,
    spec: RunSpec,
    said: Collection[str],
    usual: WatchdogSettings,
    *,
    roots: Sequence[str] = (),
    rendered: Sequence[str] = (),
    cwds: Sequence[str] = (),
) -> TrustRequest | None:
    """Return what a repository's template asks for where `spec` is what the user did; or None.

    `roots` are the folders where its command runs, `rendered` the command with what the user gave.
    """
    if not template.foreign:
        return None
    file = template.foreign[0].path
    # The repository's own `.swarm` counts also where a run works from a part of it.
    places = tuple(dict.fromkeys((*roots, str(file.parents[2]))))
    said = frozenset(said)
    fields = fields_of(template.keys)
    wanted = {field: value for field, value in fields.items() if field not in said}
    wanted["env"] = {k: v for k, v in fields.get("env", {}).items() if k not in spec.env}
    items = list(looser(wanted, own_base(spec, template.own, said), usual, places))
    if template.displaced:
        where = template.displaced.layer.value
        text = f"takes the place of the template `{template.name}` that is {where}"
        items.append(TrustItem(TrustConcern.LEAVES, text))
    commands: list[str] = []
    if template.has_foreign_verify and "verify" not in said:
        parts = dict(_verify_parts(template, places[0]))
        items += parts.values()
        commands += parts
    return TrustRequest(
        str(file),
        TEMPLATE,
        tuple((str(each.path), each.text) for each in template.foreign),
        tuple(items),
        tuple(commands),
        tuple(rendered) if commands else (),
        places,
        tuple(cwds),
    )


def _verify_parts(template: Template, root: str) -> Iterator[tuple[str, TrustItem]]:
    """Return the texts that a verify command is made of, and how each is shown."""
    verify = template.keys.option("verify") or ""
    yield verify, command(verify, root)
    for name in template.verify_names:
        default = template.params[name].default
        if default not in (None, ""):
            concern = command(str(default), root).concern
            yield str(default), TrustItem(concern, f"with {name} {printable_name(str(default))}")

"""Run templates: read, laid over what they extend, checked and filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from engine.config import yaml_file
from engine.domain import base_name, nearest
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable, printable_name
from engine.templates import option_keys, rendering
from engine.templates.parameters import Parameter, Value
from engine.templates.rendering import TemplateTextError
from engine.templates.template import KEYS, RenderedTemplate, Template, TemplateFile
from engine.templates.template_sources import NAME, TemplateLayer, TemplateSource

INVALID = "TEMPLATE_INVALID"
TEXTS = ("prompt", "title", "verify")
"""The keys whose texts are filled in."""
PARAMETERS = 100
REPOSITORY_TOKENS = 4 * rendering.LIMIT_TOKENS
"""Tokens that take about two seconds to compile: more than the texts of one template can have."""


def load(files: Sequence[TemplateSource]) -> dict[str, Template]:
    """Return every template by name; invalid ones hold their problem."""
    return dict(_all(tuple(files)))


@lru_cache(4)
def _all(files: tuple[TemplateSource, ...]) -> dict[str, Template]:
    """Return every template; what was read and checked once is not while the files are the same."""
    names = sorted({file.name for file in files})
    budget = ExpansionBudget()
    return {name: _loaded(name, files, budget) for name in names}


class ExpansionBudget:
    """Tokens that the templates of a repository may still have together: each takes time."""

    def __init__(self) -> None:
        self._left = REPOSITORY_TOKENS

    def spend(self, template: Template) -> None:
        """Count a template's texts and checks; raises `UserError` where they are too many."""
        top = template.files[0]
        if top.layer is not TemplateLayer.REPOSITORY:
            return
        texts = [getattr(template.keys, key) for key in TEXTS]
        texts += [parameter.check for parameter in template.params.values()]
        for text in texts:
            if text and self._left >= 0:  # counting takes its time, too
                self._left -= rendering.token_count(text)
        if self._left < 0:
            what = f"more than {REPOSITORY_TOKENS} words and signs"
            raise _at(top, f"the templates of this repository have {what} together.", "prompt")


def check_file(file: TemplateSource, others: Sequence[TemplateSource]) -> Template:
    """Return the template that a file is, in the place of one of its name."""
    return _loaded(file.name, [*others, file], ExpansionBudget())


def find(templates: Mapping[str, Template], name: str) -> Template:
    """Return the template of that name; raises `UserError`, also where it cannot be used."""
    template = templates.get(name)
    if template is None:
        meant = nearest.hint(name, templates)
        shown = printable_name(name[:60])
        raise user_error("TEMPLATE_NOT_FOUND", f"There is no template `{shown}`.{meant}")
    if template.problem:
        raise template.problem
    return template


def fill(template: Template, given: Mapping[str, Value]) -> RenderedTemplate:
    """Fill a template in; raises `UserError` TEMPLATE_PARAM_MISSING, INPUT_INVALID and others."""
    values = _values(template, given)
    texts: dict[str, str | None] = {}
    for key in TEXTS:
        text: str | None = getattr(template.keys, key)
        try:
            texts[key] = rendering.render(text, values).strip() if text else None
        except TemplateTextError as wrong:
            raise _wrong(template, wrong, key) from wrong
    if not texts["prompt"]:
        raise user_error("INPUT_INVALID", f"`{template.name}` renders an empty prompt with these.")
    title = " ".join((texts["title"] or "").split())
    return RenderedTemplate(
        template.name,
        texts["prompt"],
        title or None,
        texts["verify"] or None,
        template.keys,
        template.has_foreign_verify,
    )


def _values(template: Template, given: Mapping[str, Value]) -> dict[str, Value]:
    for name in given:
        if name not in template.params:
            meant = nearest.hint(name, template.params)
            has = ", ".join(template.params) or "none"
            raise user_error(
                "INPUT_INVALID",
                f"The template `{template.name}` has no parameter `{printable_name(name[:60])}`."
                f"{meant}",
                f"It has these: {has}.",
            )
    return {name: _value(template, name, given) for name in template.params}


def _value(template: Template, name: str, given: Mapping[str, Value]) -> Value:
    parameter = template.params[name]
    value = given.get(name, parameter.default)
    if value is None:
        what = f": {printable(parameter.help)}" if parameter.help else ""
        raise user_error(
            "TEMPLATE_PARAM_MISSING",
            f"The template `{template.name}` needs the parameter `{name}`{what}.",
            f"Set it with -p {name}=VALUE.",
        )
    try:
        return parameter.read(value)
    except ValueError as error:
        raise user_error("INPUT_INVALID", f"`{name}`: {error}.") from error


# How a template is read


def _loaded(name: str, files: Sequence[TemplateSource], budget: ExpansionBudget) -> Template:
    top = [file for file in files if file.name == name][-1]
    try:
        template = _merged(top, files)
        budget.spend(template)
        _check(template)
    except UserError as error:
        return Template(name, top.layer, top.path, problem=error, files=(top,))
    return template


def _merged(top: TemplateSource, files: Sequence[TemplateSource]) -> Template:
    """Merge a file over the one it extends, and so on up the chain."""
    chain = list(_chain(top, files))
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    origin: dict[str, TemplateSource] = {}
    params: dict[str, Parameter] = {}
    for file, keys in reversed(chain):
        for key in keys.__struct_fields__:
            if key not in ("name", "extends", "params") and getattr(keys, key) is not None:
                merged[key], origin[key] = _laid(merged, keys, key), file
                if file.layer is not TemplateLayer.REPOSITORY:
                    own[key] = _laid(own, keys, key)
        for name, parameter in (keys.params or {}).items():
            params[name] = _over(params.get(name), parameter)
            origin[f"params.{name}"] = file
    files_of_it = tuple(file for file, _ in chain)
    whole = KEYS(**merged, params=params, extends=chain[0][1].extends)
    return Template(
        top.name,
        top.layer,
        top.path,
        whole,
        files=files_of_it,
        origin=origin,
        own=KEYS(**own),
        displaced=_displaced(top, files_of_it, files),
    )


def _laid(below: Mapping[str, Any], keys: TemplateFile, key: str) -> Any:  # noqa: ANN401  any key's value
    """Return what a key comes to: variables go beside those below, all else in their place."""
    value = getattr(keys, key)
    return {**below.get(key, {}), **value} if key == "env" else value


def _displaced(
    top: TemplateSource, chain: Sequence[TemplateSource], files: Sequence[TemplateSource]
) -> TemplateSource | None:
    """Return the user's file that a repository's stands before by its name alone."""
    if top.layer is not TemplateLayer.REPOSITORY:
        return None
    before = [file for file in files if file.name == top.name and file.layer is not top.layer]
    return before[-1] if before and before[-1] not in chain else None


def _over(below: Parameter | None, above: Parameter) -> Parameter:
    if below is None:
        return above
    said = {name: getattr(above, name) for name in above.__struct_fields__}
    return msgspec.structs.replace(below, **{k: v for k, v in said.items() if v is not None})


def _chain(
    top: TemplateSource, files: Sequence[TemplateSource]
) -> Iterator[tuple[TemplateSource, TemplateFile]]:
    seen: list[TemplateSource] = []
    file: TemplateSource | None = top
    while file:
        keys = _read(file)
        yield file, keys
        seen.append(file)
        if not keys.extends:
            return
        file = _below(file, keys.extends, files)
        if file is None:
            meant = nearest.hint(keys.extends, [it.name for it in files])
            shown = printable_name(keys.extends[:60])
            raise _at(seen[-1], f"there is no template `{shown}` to extend.{meant}", "extends")
        if file in seen:
            names = " → ".join([each.name for each in seen[seen.index(file) :]] + [file.name])
            raise _at(seen[-1], f"it extends itself: {names}.", "extends")


def _below(
    file: TemplateSource, name: str, files: Sequence[TemplateSource]
) -> TemplateSource | None:
    """Return the file that `name` means in `file`: its own name is the one it stands before."""
    found = [each for each in files if each.name == name]
    if name == file.name and file in found:
        found = found[: found.index(file)]
    return found[-1] if found else None


@lru_cache(512)
def _read(file: TemplateSource) -> TemplateFile:
    if file.problem:
        raise user_error(INVALID, f"{file.shown}: {file.problem}.")
    keys = yaml_file.parse(file.text, file.shown, KEYS, INVALID)
    if keys.name is not None and keys.name != file.name:
        raise _at(file, f"`name` is not the file's: `{file.name}` is needed.", "name")
    if len(keys.params or {}) > PARAMETERS:
        raise _at(file, f"a template has at most {PARAMETERS} parameters.", "params")
    for name in keys.params or {}:
        if not (NAME.fullmatch(name) and name.isidentifier()) or name in ("value", "if", "not"):
            what = "a parameter's name must be of small letters, digits and `_`"
            raise _at(file, f"`{printable_name(name[:60])}`: {what}.", "params", name)
    return option_keys.located(keys, file.path.parent)


# What is checked


def _check(template: Template) -> None:
    """Check the rules beyond a file's form; raises `UserError` with the line."""
    keys, top = template.keys, template.files[0]
    if not (keys.prompt or "").strip():
        raise _at(top, "`prompt` is missing.", "prompt")
    if not (keys.description or "").strip():
        raise _at(top, "`description` is missing.", "description")
    for name, parameter in template.params.items():
        _check_parameter(template, name, parameter)
    known = frozenset(template.params)
    for key in TEXTS:
        try:
            rendering.check(getattr(keys, key) or "", known)
        except TemplateTextError as wrong:
            raise _wrong(template, wrong, key) from wrong
    for key, problem in option_keys.problems(keys).items():
        raise _at(template.origin[key], f"`{key}`: {problem}.", key)
    _check_base(keys.option("base") or "", template.origin.get("base", top))


def _check_base(name: str, file: TemplateSource) -> None:
    if file.layer is TemplateLayer.REPOSITORY and base_name.PULL.fullmatch(name):
        what = "a repository's template cannot fetch a pull request; use --base"
        raise _at(file, f"`base`: {what}.", "base")


def _check_parameter(template: Template, name: str, parameter: Parameter) -> None:
    file = template.origin[f"params.{name}"]
    if (parameter.kind == "choice") != bool(parameter.choices):
        what = "`choices` go with the type `choice`, and it needs some"
        raise _at(file, f"`{name}`: {what}.", "params", name)
    try:
        if parameter.check:
            rendering.check_condition(parameter.check)
        if parameter.default is not None and parameter.default != "":
            parameter.read(parameter.default)
    except TemplateTextError as wrong:
        raise _at(file, f"`{name}.check`: {wrong.what}.", "params", name, "check") from wrong
    except ValueError as error:
        raise _at(file, f"`{name}.default`: {error}.", "params", name, "default") from error


def _wrong(template: Template, wrong: TemplateTextError, key: str) -> UserError:
    file = template.origin.get(key, template.files[0])
    line = yaml_file.line_of(file.text, key) + wrong.line - 1
    return user_error(INVALID, f"{file.shown}:{line}: `{key}`: {printable(wrong.what)}.")


def _at(file: TemplateSource, what: str, *keys: str) -> UserError:
    return user_error(INVALID, f"{file.shown}:{yaml_file.line_of(file.text, *keys)}: {what}")

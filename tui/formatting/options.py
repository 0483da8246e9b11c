"""The options of a run that a template sets, as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.config.run_options import FILE_OPTIONS
from engine.domain.run_option import Kind, RunOption

if TYPE_CHECKING:
    from engine.engine import Template
    from engine.templates.template import TemplateFile


def of_template(template: Template) -> str:
    """Return the options that a template sets, on one line."""
    found = ((option, written(option, template.keys)) for option in FILE_OPTIONS)
    return " · ".join(option.shown.format(text) for option, text in found if text)


def written(option: RunOption, keys: TemplateFile) -> str:
    """Return the value that a template has for an option, as it is typed; empty for none."""
    value = keys.option(option.key)
    if value is None:
        return ""
    match option.kind:
        case Kind.DURATION:
            return value.written()
        case Kind.FLAG:
            return "yes" if value else ""
        case Kind.YES_NO:
            return "yes" if value else "no"
        case Kind.VARIABLES:
            return " ".join(value)  # their values may be secrets
        case Kind.FILES | Kind.FOLDERS:
            return " ".join(value)
        case _:
            return str(value)

"""Fields of a request asked for on the terminal, one after the other."""

from __future__ import annotations

import sys

from engine.domain.answers import Values, checked_values
from engine.domain.errors import UserError, user_error
from engine.domain.input_fields import InputField
from engine.domain.run_json import request_id
from tui.cli.support import output
from tui.cli.support.answer_values import typed_values
from tui.cli.support.open_requests import OpenRequest, described
from tui.formatting.input_fields import answer_command


def ask_values(found: OpenRequest) -> Values:
    """Show a request whole and read a value of each field; raises `UserError` off a terminal."""
    run, request = found
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        command = answer_command(request_id(run, request), request.fields)
        raise user_error("INPUT_INVALID", "The request has fields to answer.", f"Use `{command}`.")
    output.say_aside("\n".join(described([found])))
    return {field.name: _ask(field) for field in request.fields}


def _ask(field: InputField) -> tuple[str, ...]:
    while True:
        values = typed_values(field, _read(field))
        try:
            checked_values([field], {field.name: values})
        except UserError as error:
            output.say_aside(f"{error.message} {error.recovery}")
        else:
            return values


def _read(field: InputField) -> str:
    import click

    hint = f" [{field.default}]" if field.default and not field.is_secret else ""
    hidden = " (not shown)" if field.is_secret else ""
    typed: str = click.prompt(
        f"{field.name}{hidden}{hint}",
        default="",
        hide_input=field.is_secret,
        show_default=False,
        err=True,
    )
    return typed

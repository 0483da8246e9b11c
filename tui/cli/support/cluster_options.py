"""Options that the commands of a cluster share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tui.cli.support.options import FileParam, NumberParam, TextParam

Function = TypeVar("Function", bound=Callable[..., Any])
SLOTS = 1000
"""The most agents of one node."""


def tls_options(function: Function) -> Function:
    """Add the options of the files for TLS."""
    for name, text in (
        ("key", "Use this private key."),
        ("certificate", "Use this certificate."),
        ("ca", "Trust the CA with this certificate."),
    ):
        option = click.option(f"--{name}", type=FileParam(), metavar="FILE", help=text)
        function = option(function)
    return function


def name_option(function: Function) -> Function:
    """Add the option of a node's name."""
    option = click.option(
        "--name", type=TextParam(), help="Name the node. Default: this machine's name."
    )
    return option(function)


def port_option(text: str, default: int) -> Callable[[Function], Function]:
    """Return the option of a port to listen on."""
    return click.option(
        "--port", type=NumberParam(0, 65535), default=default, show_default=True, help=text
    )

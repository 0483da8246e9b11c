"""Command line of the bridge."""

from __future__ import annotations

_VALUES = {
    "--codex": "codex",
    "--inbox": "inbox",
    "--prompt-id": "prompt_id",
    "--thread": "thread",
    "--fork": "fork",
    "--sandbox": "sandbox",
    "--approvals": "approvals",
    "--model": "model",
    "--last-message": "last_message",
    "--output-schema": "output_schema",
    "--key-variable": "key_variable",
}
_LISTS = {
    "--codex-argument": "codex_arguments",
    "-c": "settings",
    "--image": "images",
    "--add-dir": "folders",
}
_REQUIRED = ("--codex", "--inbox", "--prompt-id", "--sandbox", "--approvals")


class BridgeUsageError(Exception):
    """The arguments are wrong; the text goes to stderr."""


class BridgeOptions:
    """Options of one attempt. Sandbox and approvals have no default: no right is implied."""

    def __init__(self) -> None:
        self.codex = self.inbox = self.prompt_id = ""
        self.sandbox = self.approvals = ""
        self.fork = ""
        """The thread that is copied, and stays as it is."""
        self.key_variable = ""
        """The variable with an API key, which the server does not read by itself."""
        self.thread = self.model = self.last_message = self.output_schema = ""
        self.codex_arguments: list[str] = []
        """Arguments of the program before `app-server`, where it is not one file."""
        self.settings: list[str] = []
        self.images: list[str] = []
        self.folders: list[str] = []


def parse(arguments: list[str]) -> BridgeOptions:
    """Read the arguments; raises `BridgeUsageError`."""
    options = BridgeOptions()
    rest = iter(arguments)
    for name in rest:
        value = next(rest, None)
        if value is None or (name not in _VALUES and name not in _LISTS):
            raise BridgeUsageError(f"unexpected argument {name!r}")
        if name in _LISTS:
            getattr(options, _LISTS[name]).append(value)
        else:
            setattr(options, _VALUES[name], value)
    for name in _REQUIRED:
        if not getattr(options, _VALUES[name]):
            raise BridgeUsageError(f"{name} is missing")
    return options

"""The command line of `codex exec`, with the real one's complaints."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH100

from __future__ import annotations

import os

SANDBOXES = ("read-only", "workspace-write", "danger-full-access")
_CHOICES = {
    "--sandbox": ("SANDBOX_MODE", SANDBOXES),
    "--cyber-access-program": ("PROGRAM", ("standard", "daybreak_blue", "daybreak_red")),
}
"""The values that an option allows, and what the help calls them."""
_TRY_HELP = "For more information, try '--help'."
_USAGES = {
    "": "codex [OPTIONS] [PROMPT]\n       codex [OPTIONS] <COMMAND> [ARGS]",
    "exec": "codex exec [OPTIONS] [PROMPT]\n       codex exec [OPTIONS] <COMMAND> [ARGS]",
    "resume": "codex exec resume [OPTIONS] [SESSION_ID] [PROMPT]",
    "fork": "codex exec fork [OPTIONS] <SESSION_ID> [PROMPT]",
    "login status": "codex login status [OPTIONS]",
    "doctor": "codex doctor --json",
}
# Each option's canonical name and, where it takes a value, what the help calls the value.
_ON_RESUME = {
    "--json": ("--json", ""),
    "--experimental-json": ("--json", ""),  # what OpenAI's TypeScript SDK passes
    "--thread-source": ("--thread-source", "SOURCE"),
    "--cyber-access-program": ("--cyber-access-program", "PROGRAM"),
    "--ephemeral": ("--ephemeral", ""),
    "--skip-git-repo-check": ("--skip-git-repo-check", ""),
    "--strict-config": ("--strict-config", ""),
    "--ignore-user-config": ("--ignore-user-config", ""),
    "--ignore-rules": ("--ignore-rules", ""),
    "--dangerously-bypass-approvals-and-sandbox": ("--dangerously-bypass", ""),
    "-c": ("--config", "key=value"),
    "--config": ("--config", "key=value"),
    "--enable": ("--enable", "FEATURE"),
    "--disable": ("--disable", "FEATURE"),
    "-m": ("--model", "MODEL"),
    "--model": ("--model", "MODEL"),
    "-i": ("--image", "FILE"),
    "--image": ("--image", "FILE"),
    "-o": ("--output-last-message", "FILE"),
    "--output-last-message": ("--output-last-message", "FILE"),
    "--output-schema": ("--output-schema", "FILE"),
    "-h": ("--help", ""),
    "--help": ("--help", ""),
}
_ON_EXEC = {
    **_ON_RESUME,
    "-s": ("--sandbox", "SANDBOX_MODE"),
    "--sandbox": ("--sandbox", "SANDBOX_MODE"),
    "-C": ("--cd", "DIR"),
    "--cd": ("--cd", "DIR"),
    "--add-dir": ("--add-dir", "DIR"),
    "-p": ("--profile", "CONFIG_PROFILE_V2"),
    "--profile": ("--profile", "CONFIG_PROFILE_V2"),
    "--color": ("--color", "COLOR"),
}


class UsageError(Exception):
    """Arguments that the real one refuses too; the text is what it prints, the exit code is 2."""


class ExecOptions:
    """The parsed options: `exec`, `resume` or `fork`, its flags, its values and its words."""

    def __init__(self) -> None:
        """Begin with no option at all."""
        self.command = "exec"
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.config: dict[str, str] = {}
        self.bad_override = ""
        self.words: list[str] = []

    @property
    def thread_id(self) -> str:
        """The thread to resume or to fork, or nothing."""
        return self.words[0] if self.command != "exec" and self.words else ""

    @property
    def prompt(self) -> str:
        """The prompt as it was given; `-` where it comes from stdin."""
        words = self.words[1:] if self.command != "exec" else self.words
        return words[0] if words else "-"

    @property
    def cwd(self) -> str:
        """The folder to work in, absolute."""
        return os.path.abspath(self.values.get("--cd", "."))

    @property
    def may_write(self) -> bool:
        """Return whether the sandbox allows writes; as in the real one, not by default."""
        configured = self.config.get("sandbox_mode", "read-only").strip("\"'")
        sandbox = self.values.get("--sandbox", configured)
        return sandbox != "read-only" or "--dangerously-bypass" in self.flags

    @property
    def has_plan(self) -> bool:
        """Return whether the plan tool was switched on."""
        table = self.config.get("tools.update_plan", "").replace(" ", "")
        enabled = self.config.get("tools.update_plan.enabled", "")
        return "enabled=true" in table or enabled == "true"


def unexpected(argument: str, usage: str) -> UsageError:
    """Return the error for an unexpected argument, in the words of the real one."""
    tip = ""
    if argument.startswith("-") and usage in ("", "exec", "resume", "fork"):
        tip = f"  tip: to pass '{argument}' as a value, use '-- {argument}'\n\n"
    return UsageError(
        f"error: unexpected argument '{argument}' found\n\n{tip}"
        f"Usage: {_USAGES[usage]}\n\n{_TRY_HELP}"
    )


def usage_text(command: str) -> str:
    """Return the usage of a command, in a line or two."""
    return f"Usage: {_USAGES[command]}"


def parse(arguments: list[str]) -> ExecOptions:
    """Read what follows `codex exec`; raises UsageError."""
    options, rest = ExecOptions(), list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            options.words += rest
            break
        if argument.startswith("-") and argument != "-":
            _read_option(options, argument, rest)
        elif argument in ("resume", "fork") and options.command == "exec" and not options.words:
            options.command = argument
        else:
            options.words.append(argument)
    _refuse_extra_words(options)
    return options


def _read_option(options: ExecOptions, argument: str, rest: list[str]) -> None:
    name, value = _split(argument)
    known = _ON_EXEC if options.command == "exec" else _ON_RESUME
    if name not in known:
        raise unexpected(name, options.command)
    canonical, placeholder = known[name]
    if not placeholder:
        options.flags.add(canonical)
        return
    if value is None:
        if not rest or (rest[0].startswith("-") and rest[0] != "-"):
            raise UsageError(
                f"error: a value is required for '{canonical} <{placeholder}>' "
                f"but none was supplied\n\n{_TRY_HELP}"
            )
        value = rest.pop(0)
        if canonical == "--image" and options.command == "exec":
            _swallow_images(rest)
    _keep(options, canonical, value)


def _split(argument: str) -> tuple[str, str | None]:
    if argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return name, value if equals else None
    return argument[:2], argument[2:].removeprefix("=") or None


def _swallow_images(rest: list[str]) -> None:
    # The real `exec` (not `resume`) takes every word up to the next option for an image as well.
    while rest and (rest[0] == "-" or not rest[0].startswith("-")):
        rest.pop(0)


def _keep(options: ExecOptions, canonical: str, value: str) -> None:
    placeholder, choices = _CHOICES.get(canonical, ("", ()))
    if choices and value not in choices:
        raise UsageError(
            f"error: invalid value '{value}' for '{canonical} <{placeholder}>'\n"
            f"  [possible values: {', '.join(choices)}]\n\n{_TRY_HELP}"
        )
    if canonical != "--config":
        options.values[canonical] = value
        return
    key, equals, setting = value.partition("=")
    if equals:
        options.config[key.strip()] = setting.strip()
    else:
        options.bad_override = options.bad_override or value


def _refuse_extra_words(options: ExecOptions) -> None:
    most = 1 if options.command == "exec" else 2
    if len(options.words) > most:
        raise unexpected(options.words[most], options.command)

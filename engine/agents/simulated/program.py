"""The program of the stand-in: arguments to exit code."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH100, PTH110, PTH111, PTH112, PTH113, PTH118, PTH120

from __future__ import annotations

import os
import sys

from . import schema, trouble
from .arguments import ExecOptions, UsageError, parse, unexpected, usage_text
from .installation import VERSION, doctor
from .playing import PLAYS, steps_of
from .script import ScriptError, ScriptStep
from .thread import Thread, create, find, fork, is_thread_id
from .turn import STDOUT, Turn, TurnEnded, complain, write_all

_BACKTRACE = "\n\nStack backtrace:\n   0: <unknown>\n   1: <unknown>\n   2: <unknown>"
_UNTRUSTED = "Not inside a trusted directory and --skip-git-repo-check was not specified."


class StartRefused(Exception):
    """The real one would not begin either; the text goes to stderr, the exit code is 1."""


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code."""
    trouble.stop_on_interrupt()
    try:
        return _dispatch(arguments)
    except (UsageError, ScriptError) as mistake:
        complain(str(mistake))
        return 2
    except StartRefused as refusal:
        complain(str(refusal))
        return 1
    except BrokenPipeError:
        return 101


def _dispatch(arguments: list[str]) -> int:
    command, rest = (arguments[0] if arguments else ""), arguments[1:]
    if command in ("--version", "-V"):
        _print(f"codex-cli {VERSION}")
    elif command in ("exec", "e"):
        return _exec(parse(rest))
    elif command == "app-server":
        from .server import serve  # takes milliseconds, and `exec` needs none of it

        return serve(rest, _home())
    elif command == "login":
        _login(rest)
    elif command == "doctor":
        _require(rest, {"--json"}, "doctor")
        doctor(_home())
    elif command in ("--help", "-h"):
        _print(usage_text(""))
    else:
        raise unexpected(command or "(nothing)", "")
    return 0


def _login(rest: list[str]) -> None:
    if rest[:1] != ["status"]:
        raise unexpected(rest[0] if rest else "login", "login status")
    _require(rest[1:], set(), "login status")
    complain("Logged in using a simulated account")


def _require(rest: list[str], known: set[str], usage: str) -> None:
    for argument in rest:
        if argument not in known:
            raise unexpected(argument, usage)


def _print(line: str) -> None:
    write_all(STDOUT, line.encode() + b"\n")


def _home() -> str:
    home = os.environ.get("CODEX_HOME")
    if not home:
        return os.path.expanduser("~/.codex")
    if not os.path.isdir(home):
        raise StartRefused(
            f'Error finding codex home: CODEX_HOME points to "{home}", but that path does not exist'
        )
    return os.path.abspath(home)


def _exec(options: ExecOptions) -> int:
    if "--help" in options.flags:
        _print(usage_text(options.command))
        return 0
    home, prompt = _home(), _check(options)
    thread = _find_thread(options, home)
    wanted = options.values.get("--output-schema")
    answer = schema.answer(wanted) if wanted else ""
    steps = steps_of(prompt, home, options.cwd, thread, answer)
    # Only now: a wrong script leaves no thread behind.
    thread = thread or create(home, options.cwd, VERSION)
    turn = Turn(options, thread, counts_itself=any(step.name == "usage" for step in steps))
    turn.emit({"type": "thread.started", "thread_id": thread.id})
    turn.emit({"type": "turn.started"})
    thread.begin_turn(options.values.get("--model"))
    thread.record_message("user", prompt)
    return _play(turn, steps)


def _play(turn: Turn, steps: list[ScriptStep]) -> int:
    try:
        for step in steps:
            PLAYS[step.name](turn, step)
    except TurnEnded as end:
        return end.exit_code
    turn.complete()
    return 0


def _check(options: ExecOptions) -> str:
    """Refuse what the real one refuses, in its order, and return the prompt."""
    if options.bad_override:
        raise StartRefused(
            f"Error parsing -c overrides: Invalid override (missing '='): {options.bad_override}"
        )
    if not os.path.isdir(options.cwd):
        raise StartRefused(f"Error: No such file or directory (os error 2){_BACKTRACE}")
    prompt = _read_prompt(options)
    path = options.values.get("--output-schema")
    if path and not os.path.isfile(path):
        raise StartRefused(
            f"Failed to read output schema file {path}: No such file or directory (os error 2)"
        )
    if "--skip-git-repo-check" not in options.flags and not _is_in_git(options.cwd):
        raise StartRefused(_UNTRUSTED)
    return prompt


def _read_prompt(options: ExecOptions) -> str:
    if options.prompt != "-":
        if os.isatty(0):
            return options.prompt
        complain("Reading additional input from stdin...")
        more = _read_stdin()
        return f"{options.prompt}\n\n<stdin>\n{more}\n</stdin>" if more.strip() else options.prompt
    prompt = _read_stdin()
    if not prompt.strip():
        raise StartRefused("No prompt provided via stdin.")
    return prompt


def _read_stdin() -> str:
    data = sys.stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        raise StartRefused(
            "Failed to read prompt from stdin: input is not valid UTF-8 "
            f"(invalid byte at offset {fault.start})."
        ) from None


def _is_in_git(folder: str) -> bool:
    while True:
        git = os.path.join(folder, ".git")
        # An empty folder of that name does not count, a file does, whatever it holds.
        if os.path.isfile(git) or os.path.exists(os.path.join(git, "HEAD")):
            return True
        folder, last = os.path.dirname(folder), folder
        if folder == last:
            return False


def _find_thread(options: ExecOptions, home: str) -> Thread | None:
    """Find the thread to resume; a word that is not an id begins a new one, as in Codex."""
    if not is_thread_id(options.thread_id):
        return None
    thread = find(home, options.thread_id)
    if thread is None:
        raise StartRefused(
            "Error: thread/resume: thread/resume failed: no rollout found for thread id "
            f"{options.thread_id} (code -32600){_BACKTRACE}"
        )
    return fork(home, thread, options.cwd, VERSION) if options.command == "fork" else thread

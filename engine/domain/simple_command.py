"""Shell commands read strictly, to approve them, and widely, to deny them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

_BARE = r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*"
# A quoted word is quoted whole: parts of words in quotes are read differently by different shells.
_SINGLE = r"'[^'\x00-\x1f\x7f]*'"
_DOUBLE = r'"[^"$`\\!\x00-\x1f\x7f]*"'
_WORD = re.compile(f"(?:{_BARE}|{_SINGLE}|{_DOUBLE})(?= |$)")
_PROGRAM = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./+-]*")
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9-]*")

RESERVED = frozenset(
    "case coproc do done elif else esac fi for function if in select then time until while".split()  # noqa: SIM905  easier to read
)
"""Words of the shell's own language, never programs."""
BUILTINS = frozenset(
    """. : [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue
    declare dirs disown echo enable eval exec exit export false fc fg getopts hash help history
    jobs kill let local logout mapfile newgrp popd printf pushd pwd read readarray readonly
    return set shift shopt source suspend test times trap true type typeset ulimit umask unalias
    unset wait""".split()  # noqa: SIM905  easier to read
)
"""Commands of the shell itself: some of them evaluate their arguments."""
LAUNCHERS = frozenset(
    """arch ash at aws-vault bash batch bunx busybox bwrap caffeinate capsh cgexec choom chronic
    chroot chrt cmd concurrently corepack cross-env crontab csh dash dbus-launch dbus-run-session
    direnv doas dotenv dumb-init eatmydata ed emacs entr env ex expect fakeroot faketime find
    firejail fish flatpak flock gdb gosu hyperfine ionice ksh less lldb ltrace machinectl man more
    mosh nc ncat netcat nice nix nix-shell nodemon nohup npx nsenter numactl nvim parallel perf
    pkexec pnpx powershell prlimit proot proxychains pwsh rbash rlwrap rr rsh rsync run-parts
    runuser screen script sed setarch setpriv setsid sg sh socat ssh ssh-agent sshpass
    start-stop-daemon stdbuf strace su su-exec sudo systemd-nspawn systemd-run tar taskset tcsh
    time timeout tini tmux torsocks toybox unbuffer unshare uvx valgrind vi view vim watch
    watchexec xargs xvfb-run zsh""".split()  # noqa: SIM905  easier to read
)
"""Programs that run any program that their arguments name."""
INTERPRETERS = frozenset(
    """awk bun deno elixir erl gawk gmake groovy java julia just lua luajit make mawk nawk node
    osascript perl php pypy python rscript ruby runghc scala swift tclsh ts-node tsx
    wish""".split()  # noqa: SIM905  easier to read
)
"""Programs that run the code in their arguments; with the name of a script, only that."""


def _subcommands(**names: str) -> dict[str, frozenset[str]]:
    return {program: frozenset(each.split()) for program, each in names.items()}


RUNNERS: Mapping[str, frozenset[str]] = _subcommands(
    asdf="exec",
    bun="create exec run x",
    bundle="exec",
    conda="run",
    deno="run",
    go="run tool",
    hatch="run",
    mamba="run",
    micromamba="run",
    mise="exec x",
    npm="create exe exec init innit x",
    pdm="run",
    pipenv="run",
    pipx="run",
    pixi="exec run",
    pnpm="create dlx exec",
    poetry="run",
    rye="run",
    tox="exec",
    uv="run",
    yarn="create dlx exec node",
)
"""Subcommands that run the program that the next word names."""
OPEN_SUBCOMMANDS: Mapping[str, frozenset[str]] = _subcommands(
    deno="eval repl",
    docker="compose container exec run",
    git="-c --config-env --exec-path bisect config difftool filter-branch mergetool rebase"
    " submodule",
    kubectl="debug exec run",
    nerdctl="compose container exec run",
    npm="explore",
    podman="compose container exec machine run",
    pnpm="m multi recursive",
    uv="tool",
    yarn="workspace workspaces",
)
"""Subcommands and options that run any program, whatever the next word is."""

_SEGMENTS = re.compile(r"[;&|()`\n\r]")
_BETWEEN = re.compile(r"[\s<>={}$,!;&|()`]+")
_QUOTES = re.compile(r"[\"'\\]")


def parse(script: str) -> tuple[str, ...] | None:
    """Return the arguments of a script that is one simple command; None for any other.

    Its words are bare or quoted whole. It has nothing that is expanded, redirected or assigned,
    so that every shell runs exactly these arguments.
    """
    words: list[str] = []
    at = 0
    while at < len(script):
        if script[at] == " ":
            at += 1
            continue
        found = _WORD.match(script, at)
        if found is None:
            return None
        text = found[0]
        words.append(text[1:-1] if text[0] in "'\"" else text)
        at = found.end()
    is_bare = bool(words) and script.lstrip(" ").startswith(words[0])
    if not is_bare or not _PROGRAM.fullmatch(words[0]) or words[0] in RESERVED:
        return None
    return tuple(words)


def runs_anything(prefix: Sequence[str]) -> bool:
    """Return whether commands that begin with these words can run any other program.

    They are shells, programs that start others, builtins, interpreters without a script, and
    subcommands that start a program (`uv run`) without its name.
    """
    name, program = _program(prefix[0])
    if {name, program} & (BUILTINS | LAUNCHERS | RESERVED):
        return True
    second = prefix[1] if len(prefix) > 1 else ""
    if program in _LAUNCHING:
        if second.startswith("-") or second in OPEN_SUBCOMMANDS.get(program, ()):
            return True
        if _is_runner(prefix):
            inner = prefix[2:]
            return not inner or inner[0].startswith("-") or runs_anything(inner)
    if program not in INTERPRETERS:
        return False
    is_module = second == "-m" and len(prefix) > 2 and not prefix[2].startswith("-")
    has_modules = program in ("python", "pypy")
    return not (is_module and has_modules) and (not second or second.startswith("-"))


_LAUNCHING = RUNNERS.keys() | OPEN_SUBCOMMANDS.keys()
_VERSION = "0123456789."


def _program(word: str) -> tuple[str, str]:
    """Return the name of a program without its folder, and that without its version."""
    # `hatch run test:python` and `npm exec node@20` run these programs, too.
    name = re.split("[/:]", word.lower())[-1]
    plain = name.partition("@")[0].rstrip(_VERSION)
    return name, plain or name


def _is_runner(words: Sequence[str]) -> bool:
    """Return whether the first two words run the program that the third one names."""
    return len(words) > 1 and words[1] in RUNNERS.get(_program(words[0])[1], ())


def _goes_on_to_another(words: Sequence[str], named: int) -> bool:
    """Return whether words behind the first `named`, a program, make it run another."""
    program = _program(words[0])[1]
    if named > 2 and _is_runner(words):
        return _goes_on_to_another(words[2:], named - 2)
    starts = RUNNERS.get(program, frozenset()) | OPEN_SUBCOMMANDS.get(program, frozenset())
    return named == 1 and any(word.partition("=")[0] in starts for word in words[1:])


def usual_prefix(words: Sequence[str]) -> tuple[str, ...]:
    """Return the program and its subcommand, if the command has one.

    Where that runs a program, its usual prefix is a part of it.
    """
    if _is_runner(words) and len(words) > 2:
        return (*words[:2], *usual_prefix(words[2:]))
    has_subcommand = len(words) > 1 and _SUBCOMMAND.fullmatch(words[1])
    return tuple(words[: 2 if has_subcommand else 1])


def begins_with(script: str, prefix: Sequence[str]) -> bool:
    """Return whether a script is one simple command that begins with exactly these words."""
    if not prefix or runs_anything(prefix):
        return False
    words = parse(script)
    if words is None or words[: len(prefix)] != tuple(prefix):
        return False
    return not _goes_on_to_another(words, len(prefix))


def has_words(text: str) -> bool:
    """Return whether a text has a word that `contains` can find."""
    return bool(list(_words(_QUOTES.sub("", text))))


def contains(script: str, denied: str) -> bool:
    """Return whether the words of `denied` stand in one command of a script, in this order.

    Other words may stand between and around them. Quotes and backslashes are ignored; a script
    with quotes counts as one command, since what is quoted may be commands again. Paths are
    compared without `.`, `..` and doubled slashes; a relative one may be the end of another.
    """
    wanted = [list(_words(part)) for part in _SEGMENTS.split(_QUOTES.sub("", denied))]
    wanted = [part for part in wanted if part]
    return bool(wanted) and all(_has(script, part) for part in wanted)


def _has(script: str, wanted: Sequence[str]) -> bool:
    joined = script.replace("\\\n", "")
    plain = _QUOTES.sub("", joined)
    parts = [plain] if plain != joined else _SEGMENTS.split(plain)
    return any(_in_order(_words(part), wanted) for part in parts)


def _words(text: str) -> Iterable[str]:
    return (_normal(word.casefold()) for word in _BETWEEN.split(text) if word)


def _normal(word: str) -> str:
    """Return a word that is a path in its shortest form."""
    if "/" not in word:
        return word
    return re.sub("^/+", "/", posixpath.normpath(word))


def _in_order(words: Iterable[str], wanted: Sequence[str]) -> bool:
    """Return whether all the words occur in this order; the first may be the end of a path."""
    left = list(wanted)
    for word in words:
        if not left:
            break
        is_program = len(left) == len(wanted)
        name = word.rpartition("/")[2] if is_program else word
        is_end = "/" in left[0].strip("/") and word.endswith(f"/{left[0]}")
        if left[0] == word or is_end or (is_program and left[0].rpartition("/")[2] == name):
            left.pop(0)
    return not left

"""Commands read strictly to approve them, and widely to deny them; checked against a real bash."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain import simple_command
from engine.domain.simple_command import BUILTINS, RESERVED, begins_with, contains, parse

HOSTILE = [
    "npm ci; evil",
    "npm ci && evil",
    "npm ci || evil",
    "npm ci & evil",
    "npm ci | evil",
    "npm ci\nevil",
    "npm ci\revil",
    "npm ci\tx",
    "npm ci > /etc/passwd",
    "npm ci < file",
    "npm ci >&2",
    "npm ci $(evil)",
    "npm ci `evil`",
    "npm ci $HOME",
    "npm ci ${IFS}x",
    'npm ci "$(evil)"',
    'npm ci "`evil`"',
    "npm ci $'x'",
    "npm c''i",
    "npm 'c'i",
    'npm c"i"',
    "npm c\\i",
    "npm ci \\\nevil",
    "npm ci 'x",
    "npm ci *",
    "npm ci ?",
    "npm ci [a]",
    "npm ci {a,b}",
    "npm ci ~",
    "npm ci ~root",
    "npm ci # x",
    "npm ci !!",
    "(npm ci)",
    "{ npm ci; }",
    "! npm ci",
    "time npm ci",
    "if npm ci",
    "X=1 npm ci",
    "PATH=/evil npm ci",
    "X+=1 npm ci",
    "=npm ci",
    "'npm' ci",
    '"npm" ci',
    "-npm ci",
    "npm ci \x1b[31m",
    "npm ci \u202ex",
    "npm\u00a0ci",
    "npm ci\u3000x",
    "nрm ci",
    "npm ci\x00",
    "",
    " ",
]


@pytest.mark.parametrize("script", HOSTILE)
def test_hostile_command_is_not_simple(script: str) -> None:
    assert parse(script) is None
    assert not begins_with(script, ("npm",))
    assert not begins_with(script, ("npm", "ci"))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("npm ci", ("npm", "ci")),
        ("  npm   ci  ", ("npm", "ci")),
        ("git commit -m 'a; b $(c) `d` \"e\"'", ("git", "commit", "-m", 'a; b $(c) `d` "e"')),
        ('git commit -m "it\'s"', ("git", "commit", "-m", "it's")),
        ("pytest a/b -k a=b --x=y 'a b' ''", ("pytest", "a/b", "-k", "a=b", "--x=y", "a b", "")),
        ("./build.sh a@b:c,d+e%f", ("./build.sh", "a@b:c,d+e%f")),
    ],
)  # fmt: skip
def test_simple_command(script: str, words: tuple[str, ...]) -> None:
    assert parse(script) == words


@pytest.mark.parametrize(
    "script",
    [
        "npm",
        "npm cix",
        "npmx ci",
        "./npm ci",
        "/usr/bin/npm ci",
        "npm 'c' i",
        "npm run ci",
        "ci npm",
    ],
)
def test_prefix_is_compared_word_by_word(script: str) -> None:
    assert not begins_with(script, ("npm", "ci"))
    assert begins_with("npm ci --no-audit", ("npm", "ci"))


@pytest.mark.parametrize(
    "prefix",
    [
        ("bash",),
        ("/bin/sh", "-c"),
        ("env",),
        ("sudo", "apt"),
        ("xargs",),
        ("eval",),
        ("trap",),
        ("printf",),
        ("python3",),
        ("python3.11", "-c"),
        ("/usr/bin/python", "-m"),
        ("node", "--eval"),
        ("time",),
        ("uv", "run"),
        ("uv", "run", "--with", "x"),
        ("uv", "run", "python"),
        ("uv", "run", "bash", "-c"),
        ("uv", "tool"),
        ("uv", "--quiet", "run", "pytest"),
        ("npx",),
        ("NPX",),
        ("uvx",),
        ("bunx", "x"),
        ("npm", "exec"),
        ("npm", "x"),
        ("npm", "init"),
        ("npm", "exec", "node@20"),
        ("pnpm", "dlx"),
        ("pnpm", "exec"),
        ("yarn", "dlx"),
        ("yarn", "exec"),
        ("poetry", "run"),
        ("poetry", "run", "uv", "run"),
        ("pipx", "run"),
        ("pdm", "run"),
        ("hatch", "run"),
        ("hatch", "run", "test:python"),
        ("rye", "run"),
        ("bundle", "exec"),
        ("bundle", "exec", "ruby", "-e"),
        ("docker", "run"),
        ("docker", "exec", "web"),
        ("podman", "run", "x"),
        ("go", "run"),
        ("conda", "run"),
        ("mise", "exec"),
        ("asdf", "exec"),
        ("direnv", "exec"),
        ("nix-shell",),
        ("git", "-c"),
        ("git", "-c", "x=y", "log"),
        ("git", "bisect"),
        ("make",),
        ("make", "-f"),
        ("java", "-jar"),
        ("Rscript", "-e"),
        ("tsx",),
        ("ts-node",),
        ("perl", "-m", "x"),
        *((name,) for name in sorted(simple_command.LAUNCHERS)),
    ],
)
def test_prefix_that_runs_anything_matches_nothing(prefix: tuple[str, ...]) -> None:
    assert simple_command.runs_anything(prefix)
    assert not begins_with(" ".join(prefix), prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        ("npm", "ci"),
        ("python", "x.py"),
        ("python", "-m", "pytest"),
        ("uv", "run", "pytest"),
        ("uv", "run", "python", "-m", "pytest"),
        ("npm", "exec", "eslint"),
        ("npm", "run"),
        ("go", "test"),
        ("cargo", "run"),
        ("make", "test"),
        ("git", "status"),
        ("git",),
    ],
)
def test_prefix_of_a_program_of_its_own(prefix: tuple[str, ...]) -> None:
    assert not simple_command.runs_anything(prefix)
    assert begins_with(" ".join(prefix), prefix)


def test_programs_that_start_others_are_known() -> None:
    names = """bunx chrt dbus-run-session entr expect fakeroot gdb ltrace npx prlimit runuser
        setpriv socat ssh systemd-run taskset toybox unbuffer uvx valgrind"""
    assert simple_command.LAUNCHERS.issuperset(names.split())


@pytest.mark.parametrize(
    ("script", "prefix"),
    [
        ("npm exec evil", "npm"),
        ("npm --prefix x exec evil", "npm"),
        ("uv run evil", "uv"),
        ("uv --quiet tool run evil", "uv"),
        ("git -c core.pager=evil log", "git"),
        ("git --exec-path=x log", "git"),
        ("docker compose run x evil", "docker"),
        ("uv run npm exec evil", "uv run npm"),
    ],
)
def test_prefix_of_a_program_does_not_start_another(script: str, prefix: str) -> None:
    assert not begins_with(script, tuple(prefix.split()))


@pytest.mark.parametrize(
    ("script", "prefix"),
    [
        ("uv run pytest -q", "uv run pytest"),
        ("npm exec eslint -- src", "npm exec eslint"),
        ("poetry run uv run pytest -q", "poetry run uv run pytest"),
        ("npm ci --no-audit", "npm ci"),
        ("uv run", "uv run"),
    ],
)
def test_usual_prefix_names_the_program_that_runs(script: str, prefix: str) -> None:
    assert simple_command.usual_prefix(tuple(script.split())) == tuple(prefix.split())


@pytest.mark.parametrize(
    "path",
    [
        "scripts/deploy.py",
        "./scripts/deploy.py",
        ".//scripts//deploy.py",
        "scripts/./deploy.py",
        "a/../scripts/deploy.py",
        "/srv/scripts/deploy.py",
        "--script=./scripts/deploy.py",
    ],
)
@pytest.mark.parametrize("denied", ["scripts/deploy.py", "./scripts//deploy.py"])
def test_path_is_denied_however_it_is_written(path: str, denied: str) -> None:
    assert contains(f"uv run {path} --now", f"uv run {denied}")
    assert contains(path, denied)
    assert not contains("uv run scripts/deploy.pyc", f"uv run {denied}")
    assert not contains("uv run xscripts/deploy.py", f"uv run {denied}")


@pytest.mark.parametrize(
    "script",
    [
        "git push",
        "git push origin main",
        "git  push",
        "git -C sub push",
        "git --no-pager push",
        "/usr/bin/git push",
        "a && git push",
        "a; git push",
        "a\ngit push",
        "git status & git push",
        "(git push)",
        "$(git push)",
        "echo `git push`",
        "if true; then git push; fi",
        "sudo git push",
        "X=1 git push",
        "xargs git push",
        'bash -c "a; git push"',
        "sh -c 'git push'",
        "g\\it pu''sh",
        "'git' \"push\"",
        "git\\\n push",
        "git >log push",
        "{git,push}",
        "git${IFS}push",
        "GIT push",
        "git -c 'x=a;b' push",
        "git commit -m 'then push'",
    ],
)
def test_denied_words_are_found(script: str) -> None:
    assert contains(script, "git push")


@pytest.mark.parametrize(
    "script",
    ["git pull", "push git", "git pushx", "xgit push", "git add . && npm run push", "gitpush"],
)
def test_other_words_are_not_denied(script: str) -> None:
    assert not contains(script, "git push")


@pytest.mark.parametrize("denied", ["", " ", "&&", "$()", "''"])
def test_nothing_is_denied_without_words(denied: str) -> None:
    assert not simple_command.has_words(denied)
    assert not contains("git push", denied)


def test_all_words_of_the_shell_are_known() -> None:
    words = subprocess.check_output(["bash", "-c", "compgen -b; compgen -k"], text=True).split()
    known = BUILTINS | RESERVED
    assert [word for word in words if word not in known and parse(f"{word} x")] == []


# A real bash: whatever is accepted runs one program with exactly the words that were read.

PARTS = st.sampled_from(
    [
        *" \t\n;&|<>$`(){}[]*?!#~=^%@+:,.'\"\\-",
        *("one", "two", "a", "x=1", "&&", "$(two)", "`two`", "${IFS}", "'a b'", '"a b"', "$'a'"),
        *("if", "time", "then", "..", "/", "\u00a0", "ü", "--", "<(two)", ">x", "a=", "~root"),
    ]
)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with programs that write down their arguments."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in ("one", "two"):
        path = folder / name
        path.write_text('#!/bin/sh\nprintf \'%s\\0\' "${0##*/}" "$@" >>"$LOG"\necho >>"$LOG"\n')
        path.chmod(0o755)
    return folder


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(st.lists(PARTS, max_size=6))
def test_accepted_command_runs_exactly_its_words(stubs: Path, parts: list[str]) -> None:
    script = "one " + "".join(parts)
    if not begins_with(script, ("one",)):
        return
    log = stubs / "log"
    log.unlink(missing_ok=True)
    folder = stubs / "empty"
    folder.mkdir(exist_ok=True)
    env = {"PATH": str(stubs) + os.pathsep + os.defpath, "LOG": str(log), "HOME": "/nonexistent"}
    subprocess.run(["bash", "-c", script], env=env, cwd=folder, capture_output=True, check=False)
    words = parse(script)
    assert words is not None
    ran = log.read_bytes()
    assert ran == b"".join(word.encode() + b"\0" for word in words) + b"\n"
    assert list(folder.iterdir()) == []

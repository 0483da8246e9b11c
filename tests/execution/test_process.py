"""One attempt's processes: their files, their end, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support import LIMIT_S, becomes

from engine.config.paths import AttemptFolder
from engine.execution.executor import ProcessEnd
from engine.execution.local import process, process_marks
from engine.execution.local.process import AttemptProcess
from engine.execution.local.process_family import ProcessFamily

STUBBORN = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "300"])
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("ready", flush=True)
time.sleep(300)
"""


async def begin(folder: AttemptFolder, *argv: str, **env: str) -> AttemptProcess:
    return await process.start(folder, argv, env, folder.path)


def shell(text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", text)


async def ended(it: AttemptProcess) -> ProcessEnd:
    await becomes(it.ending)
    ending = it.ending()
    assert ending
    return ending


async def ready(folder: AttemptFolder) -> None:
    await becomes(lambda: folder.stdout.exists() and b"ready" in folder.stdout.read_bytes())


# Its end


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (shell("exit 0"), 0),
        (shell("exit 7"), 7),
        (shell("exit 255"), 255),
        (shell("kill -TERM $$"), 128 + signal.SIGTERM),
        (shell("kill -KILL $$"), 128 + signal.SIGKILL),
        (("/nowhere/codex",), 127),
        (("/dev/null",), 126),
    ],
)
async def test_the_exit_code_is_known(
    attempt: AttemptFolder, argv: tuple[str, ...], code: int
) -> None:
    assert await ended(await begin(attempt, *argv)) == ProcessEnd(code)
    found = await process.find(attempt)
    assert found
    assert found.ending() == ProcessEnd(code)


async def test_it_has_its_files_its_folder_and_its_environment(attempt: AttemptFolder) -> None:
    text = 'cat; printf " %s %s" "$MORE" "$(pwd -P)"; echo oops >&2'
    await ended(await begin(attempt, *shell(text), MORE="yes"))
    assert attempt.stdout.read_text() == f"the prompt yes {attempt.path.resolve()}"
    assert attempt.stderr.read_text() == "oops\n"
    for file in (attempt.stdout, attempt.stderr):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_variables_that_name_a_repository_do_not_pass(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called from a git hook or alias, git's variables lead to the user's own repository."""
    asking = await asyncio.create_subprocess_exec(
        "git", "rev-parse", "--local-env-vars", stdout=asyncio.subprocess.PIPE
    )
    local = (await asking.communicate())[0].decode().split()
    more = ["GIT_EXEC_PATH", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "GIT_CONFIG_KEY_0"]
    for name in [*local, *more, "GIT_CONFIG_VALUE_0", "GIT_QUARANTINE_PATH", "GIT_OF_TOMORROW"]:
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Uma")
    await ended(await begin(attempt, "env"))
    lines = attempt.stdout.read_text().splitlines()
    assert "GIT_AUTHOR_NAME=Uma" in lines
    assert [line for line in lines if line.startswith("GIT_") and line.endswith("=0")] == []


async def test_arguments_arrive_as_they_are(attempt: AttemptFolder) -> None:
    words = ["$HOME", "a b", "'", '"', "*", "\n", "-n", "=x", "ß🙂", ""]
    program = "import sys; sys.stdout.write(repr(sys.argv[1:]))"
    await ended(await begin(attempt, sys.executable, "-c", program, *words))
    assert attempt.stdout.read_text() == repr(words)


async def test_it_leads_a_session_of_its_own(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; sleep 300"))
    await ready(attempt)
    assert os.getsid(it.pid) == it.pid != os.getsid(0)
    assert it.ending() is None
    assert it.pid in it.members()
    await it.stop(0)


# Who starts, and who starts never


async def test_of_two_starts_only_one_takes_place(attempt: AttemptFolder) -> None:
    text = shell("echo once >> ran")
    both = await asyncio.gather(begin(attempt, *text), begin(attempt, *text))
    for it in both:
        await ended(it)
    assert (attempt.path / "ran").read_text() == "once\n"


async def test_what_was_never_started_never_starts_later(attempt: AttemptFolder) -> None:
    assert await process.find(attempt) is None
    assert await process.find(attempt) is None
    late = await begin(attempt, *shell("echo late > ran"))
    assert await ended(late) == ProcessEnd(None)
    assert not (attempt.path / "ran").exists()


async def test_where_there_is_no_folder_nothing_was_started(tmp_path: Path) -> None:
    assert await process.find(AttemptFolder(tmp_path / "gone")) is None


# Found again


async def test_it_is_found_again_by_its_files(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; sleep 300"))
    await ready(attempt)
    again = await process.find(attempt)
    assert again
    assert (again.pid, again.ending()) == (it.pid, None)
    it.release()
    await again.stop(0)
    assert await ended(again) == ProcessEnd(128 + signal.SIGKILL)


async def test_the_exit_status_survives_its_starter(attempt: AttemptFolder) -> None:
    os.mkfifo(attempt.path / "go")
    text = "echo ready; read word < go; exit 9"
    starter = f"""
import asyncio, time
from pathlib import Path
from engine.config.paths import AttemptFolder
from engine.execution.executor import ProcessEnd
from engine.execution.local import process, process_marks
from engine.execution.local.process_family import ProcessFamily
folder = AttemptFolder(Path({str(attempt.path)!r}))
asyncio.run(process.start(folder, ["/bin/sh", "-c", {text!r}], {{}}, folder.path))
time.sleep(300)
"""
    child = subprocess.Popen([sys.executable, "-c", starter])  # noqa: ASYNC220  the test needs a plain child process
    try:
        await ready(attempt)
    finally:
        child.kill()
        child.wait()
    found = await process.find(attempt)
    assert found
    assert found.ending() is None
    with (attempt.path / "go").open("w") as go:
        go.write("now\n")
    assert await ended(found) == ProcessEnd(9)


async def test_letting_go_of_it_leaves_it_alive_without_a_warning(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; sleep 300"))
    await ready(attempt)
    it.release()
    del it
    gc.collect()
    found = await process.find(attempt)
    assert found
    assert found.ending() is None
    await found.stop(0)


async def test_a_stranger_with_the_same_pid_is_not_taken_for_it(attempt: AttemptFolder) -> None:
    stranger = subprocess.Popen(["sleep", "300"], start_new_session=True)  # noqa: ASYNC220  the test needs a plain child process
    try:
        attempt.pid.write_text(f"{stranger.pid}\n")
        it = await process.find(attempt)
        assert it
        assert it.ending() == ProcessEnd(None)
        assert it.members() == []
        await it.stop(0.2)
        assert len(await it.kill_remaining()) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "abc", "12", "-1\n", "3.5\n", "\xff\n", "0"])
async def test_a_damaged_exit_file_is_no_exit_code(attempt: AttemptFolder, text: str) -> None:
    attempt.pid.write_text("999999999\n")
    attempt.exit.write_text(text, "latin-1")
    it = await process.find(attempt)
    assert it
    assert it.ending() == ProcessEnd(None)


async def test_it_lives_on_when_only_its_shell_is_killed(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; exec sleep 300"))
    await ready(attempt)
    os.kill(it.pid, signal.SIGKILL)
    await becomes(lambda: it.members() and it.pid not in it.members())
    assert it.ending() is None
    async with asyncio.timeout(LIMIT_S):
        await it.stop(LIMIT_S * 2)  # sleep hears SIGTERM, though the group's leader is gone
    assert it.ending() == ProcessEnd(None)


# Stopped


async def test_what_hears_sigterm_ends_long_before_the_grace_time(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("trap 'echo bye; exit 3' TERM; echo ready; sleep 300 & wait"))
    await ready(attempt)
    async with asyncio.timeout(LIMIT_S):
        await it.stop(LIMIT_S * 2)
    assert it.ending() == ProcessEnd(3)
    assert it.members() == []
    assert attempt.stdout.read_text() == "ready\nbye\n"


@pytest.mark.parametrize("grace_s", [0, 0.2])
@pytest.mark.parametrize("is_ours", [True, False])
async def test_what_ignores_sigterm_and_what_left_the_session_end_too(
    attempt: AttemptFolder, grace_s: float, is_ours: bool
) -> None:
    it = await begin(attempt, sys.executable, "-c", STUBBORN)
    await ready(attempt)
    if not is_ours:
        it.release()
        found = await process.find(attempt)
        assert found
        it = found
    assert len(it.members()) == 4
    await it.stop(grace_s)
    assert it.members() == []
    assert await ended(it) == ProcessEnd(128 + signal.SIGKILL)


async def test_children_left_behind_are_ended_and_counted(attempt: AttemptFolder) -> None:
    program = "import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)"
    it = await begin(attempt, sys.executable, "-c", program)
    assert await ended(it) == ProcessEnd(0)
    assert len(await it.kill_remaining()) == 1
    assert it.members() == []
    assert len(await it.kill_remaining()) == 0


async def test_the_shell_that_is_about_to_end_is_not_counted(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; exec sleep 300"))
    await ready(attempt)
    attempt.exit.write_text("0\n")
    assert len(await it.kill_remaining()) == 1


async def test_stopping_twice_or_too_late_is_harmless(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("exit 4"))
    await ended(it)
    await it.stop(1)
    await it.stop(0)
    assert it.ending() == ProcessEnd(4)


async def test_only_what_carries_the_mark_is_ended(attempt: AttemptFolder, tmp_path: Path) -> None:
    other = AttemptFolder(tmp_path / "attempt-10")
    other.path.mkdir()
    other.prompt.touch()
    one, two = [await begin(folder, *shell("echo ready; sleep 300")) for folder in (attempt, other)]
    await ready(attempt)
    await ready(other)
    await one.stop(0)
    assert one.members() == []
    assert two.ending() is None
    await two.stop(0)


async def test_what_was_ended_leaves_no_zombie(attempt: AttemptFolder) -> None:
    it = await begin(attempt, *shell("echo ready; sleep 300"))
    await ready(attempt)
    await it.stop(0)
    assert it.pid not in {child.pid for child in psutil.Process().children()}


@pytest.mark.parametrize("grace_s", [0, 0.1])
async def test_what_has_only_just_begun_ends_as_well(tmp_path: Path, grace_s: float) -> None:
    for number in range(25):
        folder = AttemptFolder(tmp_path / f"attempt-{number}")
        folder.path.mkdir()
        folder.prompt.touch()
        it = await begin(folder, *shell("exec sleep 300"))
        async with asyncio.timeout(LIMIT_S):
            await it.stop(grace_s)
        assert it.ending()
        assert it.members() == []


@pytest.mark.parametrize("look_first", [False, True], ids=["child", "daemon"])
async def test_what_runs_with_an_empty_environment_is_ended_too(
    attempt: AttemptFolder, look_first: bool
) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "it = subprocess.Popen(['sleep', '300'], env={}, start_new_session=True)\n"
        "print('ready', it.pid, flush=True)\n"
        "time.sleep(0.7 if 'daemon' in sys.argv else 300)\n"
    )
    middle = f'{sys.executable} -c "$0" {"daemon" if look_first else ""} </dev/null'
    it = await begin(attempt, "/bin/sh", "-c", f"{middle}; echo over; sleep 300", program)
    await ready(attempt)
    hidden = psutil.Process(int(attempt.stdout.read_text().split()[1]))
    if look_first:
        it.members()
        await becomes(lambda: b"over" in attempt.stdout.read_bytes())
    else:
        assert hidden.pid in it.members()
    await it.stop(0.2)
    assert not hidden.is_running() or hidden.status() == psutil.STATUS_ZOMBIE
    assert it.survivors == {}


def test_a_stranger_in_the_same_session_is_not_of_the_attempt() -> None:
    family = ProcessFamily("m")
    seen = {
        1: process_marks.ProcessInfo(0, 1, 1.0, None),
        5: process_marks.ProcessInfo(
            1, 1, 2.0, "m"
        ),  # carries the mark, in a session of somebody else
        6: process_marks.ProcessInfo(1, 1, 2.0, None),
        7: process_marks.ProcessInfo(
            5, 7, 3.0, None
        ),  # a child without the mark, which leads a session
        8: process_marks.ProcessInfo(5, 5, 3.0, "other"),
    }
    assert family.members(seen) == [5, 7]
    orphaned = {
        1: seen[1],
        9: process_marks.ProcessInfo(1, 7, 4.0, None),
        5: process_marks.ProcessInfo(1, 1, 9.0, None),
    }
    assert family.members(orphaned) == [9]
    assert (
        family.members({9: process_marks.ProcessInfo(1, 9, 5.0, None)}) == []
    )  # the number was given again


async def test_a_daemon_that_the_settings_spare_outlives_its_attempt(
    attempt: AttemptFolder,
) -> None:
    program = (
        "import subprocess\n"
        "for time in ('300', '301'): subprocess.Popen(['sleep', time], start_new_session=True)"
    )
    it = await begin(attempt, sys.executable, "-c", program)
    assert await ended(it) == ProcessEnd(0)
    it.spare = ["sleep 301"]
    assert list((await it.kill_remaining()).values()) == ["sleep"]
    (spared,) = it.members()
    assert psutil.Process(spared).cmdline() == ["sleep", "301"]
    assert it.survivors == {}
    await it.stop(0)
    assert it.members() == [spared]
    it.spare = ()
    assert list(await it.kill_remaining()) == [spared]


async def test_a_start_that_is_cancelled_releases_the_process_and_leaves_it_alive(
    attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[int] = []
    release = AttemptProcess.release

    def recorded(it: AttemptProcess) -> None:
        released.append(it.pid)
        release(it)

    monkeypatch.setattr(AttemptProcess, "release", recorded)
    starting = asyncio.ensure_future(begin(attempt, *shell("echo ready; sleep 300")))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await ready(attempt)
    found = await process.find(attempt)
    assert found
    assert ([found.pid], found.ending()) == (released, None)
    await found.stop(0)

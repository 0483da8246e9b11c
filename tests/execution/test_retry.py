"""Another attempt: by hand or by itself, where the last one stood or from the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import of_type, played, settled, spec, statuses, supervising, texts, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Agent, Run, Status, Usage, WorkspaceKind, WorkspaceSpec
from engine.domain.requests import GO_ON
from engine.engine import Engine
from engine.execution import outcome

pytestmark = pytest.mark.both_modes

AT_FIRST = ("attempt 1", "write one.txt 1", "fail something odd", "end")
LATER = ("attempt 2+", "write two.txt 2", "say later", "end")


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 0.01)


def prompts(paths: Paths, run: Run) -> list[str]:
    """What each attempt was told."""
    return [paths.attempt(run.id, n).prompt.read_text() for n in range(1, run.attempt + 1)]


def files(folder: str | Path) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


async def again(engine: Engine, run: Run) -> Run:
    """Wait for the end of the attempt that was just asked for."""
    await settled(engine)
    return engine.view.runs[run.id]


# By hand


async def test_a_retry_goes_on_in_its_thread_and_its_workspace(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, *AT_FIRST, *LATER)
        assert first.status is Status.FAILED
        queued = await engine.retry(first.id)
        assert (queued.status, queued.attempt, queued.error) == (Status.QUEUED, 2, None)
        second = await again(engine, first)
    assert (second.status, second.attempt) == (Status.SUCCEEDED, 2)
    assert second.thread_id == first.thread_id
    assert second.workspace == first.workspace
    assert files(second.workspace.path) == {"one.txt", "two.txt"}
    assert prompts(paths, second) == [first.spec.prompt, GO_ON]


async def test_a_set_up_is_not_repeated(paths: Paths, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "kept.txt").touch()
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with supervising(paths) as engine:
        first = await played(engine, *AT_FIRST, *LATER, workspace=wish)
        (source / "kept.txt").unlink()
        source.rmdir()  # what was copied is not needed any more
        await engine.retry(first.id)
        second = await again(engine, first)
        told = [body.stage for body in of_type(await engine.events(first.id), "progress")]
        with pytest.raises(UserError) as caught:
            await engine.retry(first.id, fresh=True)
    assert second.status is Status.SUCCEEDED
    assert files(second.workspace.path) == {"kept.txt", "one.txt", "two.txt"}
    assert told.count("workspace_prep") == 1
    assert caught.value.code == "SOURCE_NOT_FOUND"


async def test_a_fresh_start_gets_a_new_workspace_and_the_old_one_stays(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "write one.txt 1", "fail something odd")
        for attempt in (2, 3):
            await engine.retry(first.id, fresh=True)
            last = await again(engine, first)
            assert last.attempt == attempt
            assert last.workspace.path == f"{first.workspace.path}-{attempt}"
            assert last.thread_id != first.thread_id
            assert files(last.workspace.path) == {"one.txt"}
    assert files(first.workspace.path) == {"one.txt"}
    assert prompts(paths, last) == [first.spec.prompt] * 3


async def test_a_lost_workspace_is_made_anew(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "say hello")
        Path(first.workspace.path).rmdir()
        await engine.retry(first.id)
        second = await again(engine, first)
    assert second.status is Status.SUCCEEDED
    assert Path(second.workspace.path).is_dir()


async def test_an_edited_prompt_starts_a_new_thread_in_the_same_workspace(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "write one.txt 1", "fail something odd")
        await engine.retry(first.id, prompt="sim: write two.txt 2\nsim: say edited")
        second = await again(engine, first)
        events = await engine.events(first.id)
    assert texts(events) == ["edited"]
    assert second.thread_id != first.thread_id
    assert second.workspace == first.workspace
    assert files(second.workspace.path) == {"one.txt", "two.txt"}
    assert second.spec.prompt == first.spec.prompt


async def test_a_message_goes_to_the_thread(paths: Paths) -> None:
    async with supervising(paths) as engine:
        first = await played(engine, "write one.txt 1", "say first")
        await engine.resume(first.id, "sim: say and now this")
        second = await again(engine, first)
        events = await engine.events(first.id)
        with pytest.raises(UserError) as caught:
            await engine.resume(first.id, " \n")
        assert caught.value.code == "INPUT_INVALID"
    assert texts(events) == ["first", "and now this"]
    assert second.thread_id == first.thread_id
    assert second.workspace == first.workspace
    messages = [(body.phase.value, body.text) for body in of_type(events, "message")]
    assert messages == [("queued", "sim: say and now this"), ("delivered", "")]
    assert prompts(paths, second)[1] == "sim: say and now this"


async def test_what_never_had_a_thread_cannot_be_resumed_but_retried(paths: Paths) -> None:
    async with supervising(paths, slots=1) as engine:
        first = await engine.start(spec("hang"))
        queued = await engine.start(spec("say hello"))
        await engine.cancel(queued.id)
        with pytest.raises(UserError) as caught:
            await engine.resume(queued.id, "hello")
        assert caught.value.code == "THREAD_NOT_FOUND"
        for ask in (engine.retry(first.id), engine.resume(first.id, "hello")):
            with pytest.raises(UserError) as caught:
                await ask
            assert caught.value.code == "RUN_NOT_RETRYABLE"
        await engine.retry(queued.id)
        await engine.cancel(first.id, kill=True)
        assert (await again(engine, queued)).status is Status.SUCCEEDED


async def test_a_unique_beginning_of_an_id_will_do(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine)
        assert (await engine.retry(run.id[:6])).attempt == 2
        await settled(engine)
        assert (await engine.resume("@last", "sim: say x")).attempt == 3
        assert (await again(engine, run)).status is Status.SUCCEEDED


# Tokens


async def test_tokens_over_attempts_are_differences(paths: Paths) -> None:
    count = "usage input=100 cached=40 output=7"
    async with supervising(paths) as engine:
        run = await played(engine, count, count)
        assert run.usage == Usage(200, 80, 14, 0, 2)
        await engine.resume(run.id, f"sim: {count}")
        assert (await again(engine, run)).usage == Usage(300, 120, 21, 0, 3)
        await engine.resume(run.id, f"sim: {count}\nsim: fail something odd")
        assert (await again(engine, run)).usage == Usage(400, 160, 28, 0, 4)
        await engine.retry(run.id, prompt=f"sim: {count}")
        assert (await again(engine, run)).usage == Usage(500, 200, 35, 0, 5)
        await engine.retry(run.id, prompt=f"sim: {count}", fresh=True)
        assert (await again(engine, run)).usage == Usage(600, 240, 42, 0, 6)
        counts = [body.input_tokens for body in of_type(await engine.events(run.id), "usage")]
    # They come by two ways, the stream and the rollout, and never go back.
    assert counts == sorted(counts)


async def test_an_attempt_that_never_began_costs_nothing_and_hides_nothing(paths: Paths) -> None:
    count = "usage input=100 cached=40 output=7"
    async with supervising(paths) as engine:
        run = await played(engine, count)
        blocked = paths.attempt(run.id, 2).path
        blocked.write_text("in the way")  # the second attempt's folder cannot be made
        await engine.resume(run.id, f"sim: {count}")
        assert (await again(engine, run)).status is Status.FAILED
        await engine.resume(run.id, f"sim: {count}")
        assert (await again(engine, run)).usage == Usage(200, 80, 14, 0, 2)


# By itself


@pytest.mark.parametrize("cause", ["overloaded", "stream"])
async def test_what_can_pass_is_tried_again_in_the_same_thread(paths: Paths, cause: str) -> None:
    script = ("attempt 1", "write one.txt 1", f"fail {cause}", "end", *LATER)
    async with supervising(paths) as engine:
        run = await played(engine, *script, retries=2)
        events = await engine.events(run.id)
    assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 2, 1)
    assert files(run.workspace.path) == {"one.txt", "two.txt"}
    assert prompts(paths, run)[1] == GO_ON
    threads = {
        body.details["thread_id"]
        for body in of_type(events, "progress")
        if body.details and "thread_id" in body.details
    }
    assert threads == {run.thread_id}
    assert "Trying again in" in of_type(events, "notice")[0].text
    assert not of_type(events, "error")
    way = ["queued", "preparing", "running"] * 2
    assert statuses(events) == [*way, "succeeded"]


async def test_it_gives_up_when_the_retries_are_used_up(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, "attempt 1+", "fail overloaded", retries=2)
        assert (run.status, run.attempt, run.retries_used) == (Status.FAILED, 3, 2)
        assert run.error.code == "API_OVERLOADED"
        # A retry by hand has all of them again.
        await engine.retry(run.id)
        last = await again(engine, run)
        assert (last.attempt, last.retries_used) == (6, 2)


@pytest.mark.parametrize("cause", ["auth", "quota", "context", "something odd"])
async def test_what_cannot_pass_is_never_tried_again(paths: Paths, cause: str) -> None:
    async with supervising(paths) as engine:
        run = await played(engine, f"fail {cause}", retries=5)
    assert (run.status, run.attempt, run.retries_used) == (Status.FAILED, 1, 0)


FAKE = """#!/bin/sh
[ "$1" = login ] && exit 0
cat >/dev/null
echo "$@" >> "$0.calls"
case $(wc -l < "$0.calls") in
%s
*) echo '{"type":"turn.completed"}';;
esac
"""
THREAD = "00000000-0000-7000-8000-000000000001"
GOOD = f"""echo '{{"type":"thread.started","thread_id":"{THREAD}"}}'
echo '{{"type":"turn.started"}}'; echo '{{"type":"turn.completed"}}'"""
CUT = """echo '{"type":"error","message":"stream disconnected before completion: x"}'; exit 1"""


def fake_codex(folder: Path, *cases: str) -> str:
    """Something called as Codex is, that does these one call after the other, then all is well."""
    path = folder / "fake"
    lines = [f"{number}) {case};;" for number, case in enumerate(cases, start=1)]
    path.write_text(FAKE % "\n".join(lines))
    path.chmod(0o755)
    return str(path)


def calls(fake: str) -> list[str]:
    """The threads that were resumed, call by call."""
    lines = Path(f"{fake}.calls").read_text().splitlines()
    return [line.split()[-2] if " resume " in line else "" for line in lines]


async def test_another_try_repeats_what_no_thread_has_heard(paths: Paths, tmp_path: Path) -> None:
    """The thread of an earlier attempt does not know the prompt that was edited since."""
    fake = fake_codex(tmp_path, GOOD, CUT, GOOD, CUT)
    wish = {"agent": Agent.CODEX, "codex_bin": fake, "retries": 1}
    async with supervising(paths) as engine:
        run = await played(engine, **wish)
        await engine.retry(run.id, prompt="edited", fresh=True)
        run = await again(engine, run)
        assert (run.status, run.attempt) == (Status.SUCCEEDED, 3)
        await engine.resume(run.id, "a message")
        run = await again(engine, run)
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 5)
    assert prompts(paths, run)[1:] == ["edited", "edited", "a message", "a message"]
    assert calls(fake) == ["", "", "", THREAD, THREAD]
    # Only the start that was asked for was fresh, not the one that came by itself.
    assert run.workspace.path.endswith("-2")


async def test_a_cancel_ends_the_waiting_for_another_try(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 300.0)
    async with supervising(paths) as engine:
        run = await engine.start(spec("fail overloaded", retries=3))
        await until(engine, lambda: engine.view.runs[run.id].retries_used)
        waiting = engine.view.runs[run.id]
        assert waiting.not_before > waiting.last_event_at + 100
        assert (await engine.cancel(run.id)).status is Status.CANCELLED
        await settled(engine)

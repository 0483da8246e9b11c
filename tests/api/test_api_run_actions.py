"""Operations that start, end and change runs over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from api_clients import over
from httpx import AsyncClient
from repos import git
from support import HOSTILE, LIMIT_S, played, script, settled, spec, until

from engine.config.paths import Paths
from engine.domain.api_token import Scope
from engine.domain.model import Pause, Run, Status
from engine.engine import Engine
from tui.cli.api.context import ApiContext
from tui.cli.json import RunJson

Clients = Callable[[Scope | None], Awaitable[AsyncClient]]
SIMULATED: dict[str, Any] = {"agent": "simulated", "empty": True}


async def posted(client: AsyncClient, path: str, status: int = 200, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def run_of(answer: Any) -> RunJson:
    return msgspec.convert(answer, RunJson)


async def held(engine: Engine, **more: Any) -> Run:
    """Return a run that stays queued."""
    await engine.set_pause(Pause("a test"))
    return await engine.start(spec(**more))


async def test_run_is_started_and_waited_for(engine: Engine, client: AsyncClient) -> None:
    answer = await client.post("/v1/runs", json={"prompt": script("say hello"), **SIMULATED})
    assert answer.status_code == 201, answer.text
    started = run_of(answer.json())
    assert answer.headers["Location"] == f"/v1/runs/{started.id}"
    assert (started.title, started.project) == ("sim: say hello", "default")
    ended = await client.get(f"/v1/runs/{started.id}/wait?timeout_s={LIMIT_S}")
    assert run_of(ended.json()).status == "succeeded"
    assert (await client.get(answer.headers["Location"])).json()["id"] == started.id
    assert [run.id for run in await engine.runs()] == [started.id]


async def test_run_works_in_a_copy_of_its_source(client: AsyncClient, tmp_path: Path) -> None:
    source = tmp_path / "shop"
    source.mkdir()
    body = {"prompt": script("say hello"), "agent": "simulated", "copy": str(source)}
    started = await posted(client, "/v1/runs", 201, **body)
    assert started["project"] == "shop"
    ended = await client.get(f"/v1/runs/{started['id']}/wait?timeout_s={LIMIT_S}")
    assert ended.json()["workspace"]["source"] == str(source)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": "x"}, 400),
        ({"prompt": "", "empty": True}, 400),
        ({"prompt": "x", "worktree": "here"}, 400),
        ({"prompt": "x", "copy": "/nothing/here"}, 404),
        ({"prompt": "x", "empty": True, "template": "nothing"}, 404),
        ({"prompt": "x", "empty": True, "unknown": 1}, 400),
        ({"prompt": "x", "empty": True, "retries": 10**30}, 400),
        ({"prompt": "x", "empty": True, "timeout": 1e308}, 400),
        ({"prompt": "x", "empty": True, "env": {"A": "\0"}}, 400),
        ({"prompt": "x", "empty": True, "title": "\0\x1b[2J"}, 201),
        ({"prompt": "x", "from_run": "@last"}, 404),
        ({"prompt": "x", "empty": True, "after": ["\0", "é"]}, 404),
    ],
)
async def test_hostile_request_is_no_defect(
    body: dict[str, Any], status: int, engine: Engine, client: AsyncClient
) -> None:
    await engine.set_pause(Pause("a test"))
    answer = await posted(client, "/v1/runs", status, agent="simulated", **body)
    if status == 201:
        await posted(client, f"/v1/runs/{answer['id']}/cancel")
    else:
        assert answer["detail"]
        assert await engine.runs() == []


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'"x"', b'{"prompt": "\\ud800"}'])
async def test_body_that_is_no_request_is_refused(body: bytes, client: AsyncClient) -> None:
    for path in ("/v1/runs", "/v1/cancel", "/v1/retry", "/v1/runs/@last/resume", "/v1/dismiss"):
        answer = await client.post(path, content=body)
        assert answer.status_code in (400, 404, 415), (path, answer.text)
        if not body:
            assert (
                answer.json()["detail"] == "The request needs a body: a JSON object, at least `{}`."
            )


@pytest.mark.parametrize(
    "name", [*(text for text in HOSTILE if len(text) < 1000 and text.isprintable()), "%00", "a" * 9]
)
async def test_hostile_id_is_not_found(name: str, client: AsyncClient) -> None:
    from urllib.parse import quote

    path = f"/v1/runs/{quote(name, safe='%')}"
    for action in ("cancel", "retry", "start", "dismiss", "interrupt"):
        answer = await client.post(f"{path}/{action}")
        assert answer.status_code in (400, 404, 405), answer.text
    assert (await client.get(f"{path}/wait")).status_code == 404
    assert (await client.delete(f"{path}/messages/{quote(name, safe='%')}")).status_code == 404


async def test_runs_are_cancelled(engine: Engine, client: AsyncClient) -> None:
    first, second, third = [await held(engine) for _ in range(3)]
    one = await posted(client, f"/v1/runs/{first.id}/cancel")
    assert run_of(one).status == "cancelled"
    assert (await posted(client, f"/v1/runs/{first.id}/cancel", 409))["code"] == (
        "RUN_NOT_CANCELLABLE"
    )
    several = await posted(client, "/v1/cancel", runs=[second.id])
    assert [run["id"] for run in several] == [second.id]
    assert [run["id"] for run in await posted(client, "/v1/cancel", all=True)] == [third.id]
    assert await posted(client, "/v1/cancel", all=True) == []
    await posted(client, "/v1/cancel", 400)
    await posted(client, "/v1/cancel", 400, all=True, runs=[third.id])
    await posted(client, "/v1/cancel", 404, batch="nothing")


async def test_working_run_is_cancelled_twice_and_killed(
    engine: Engine, client: AsyncClient
) -> None:
    run = await engine.start(spec("ignore-term", "wait 600"))
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    for body in ({}, {}, {"kill": True}):
        answer = await posted(client, f"/v1/runs/{run.id}/cancel", **body)
        assert run_of(answer).status == "cancelling"
    ended = await client.get(f"/v1/runs/{run.id}/wait?timeout_s={LIMIT_S}")
    assert ended.json()["status"] == "cancelled"


async def test_two_clients_act_at_once(engine: Engine, client: AsyncClient) -> None:
    run = await held(engine)
    answers = await asyncio.gather(*(client.post(f"/v1/runs/{run.id}/cancel") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert [answer.status_code for answer in answers].count(200) == 1
    answers = await asyncio.gather(*(client.post(f"/v1/runs/{run.id}/retry") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (await engine.find(run.id)).attempt == 2
    await posted(client, f"/v1/runs/{run.id}/cancel")


async def test_run_goes_on(engine: Engine, client: AsyncClient) -> None:
    run = await played(engine, "fail")
    await posted(client, f"/v1/runs/{run.id}/retry", 400, prompt=" ")
    again = await posted(client, f"/v1/runs/{run.id}/retry", prompt=script("say better"))
    assert run_of(again).attempt == 2
    await settled(engine)
    await posted(client, f"/v1/runs/{run.id}/resume", 400, message="")
    more = await posted(client, f"/v1/runs/{run.id}/resume", message=script("say more"))
    assert more["attempt"] == 3
    await settled(engine)
    answer = await posted(client, f"/v1/runs/{run.id}/fork", 201, prompt=script("say else"))
    assert answer["id"] != run.id
    await settled(engine)
    sent = await posted(client, f"/v1/runs/{run.id}/messages", text=script("say yes"))
    assert sent["attempt"] == 4
    await settled(engine)
    assert await posted(client, "/v1/retry", failed=True) == []
    await posted(client, "/v1/retry", 400)
    await posted(client, "/v1/retry", 400, runs=[run.id], batch="x")


async def test_runs_that_failed_are_retried_together(engine: Engine, client: AsyncClient) -> None:
    runs = [await played(engine, "fail") for _ in range(2)]
    found = await posted(client, "/v1/retry", failed=True, fresh=True)
    assert {run["id"] for run in found} == {run.id for run in runs}
    await settled(engine)


async def test_resume_with_comments_needs_some(engine: Engine, client: AsyncClient) -> None:
    run = await played(engine)
    answer = await posted(client, f"/v1/runs/{run.id}/resume", 404, comments=True)
    assert answer["code"]


async def test_messages_are_sent_listed_and_withdrawn(engine: Engine, client: AsyncClient) -> None:
    run = await engine.start(spec("wait 600", interactive=True))
    await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
    path = f"/v1/runs/{run.id}/messages"
    sent = await posted(client, path, text="Then the docs", after_turn=True)
    (waiting,) = sent["messages"]
    assert (await client.get(path)).json() == [waiting]
    gone = await client.delete(f"{path}/{waiting['message'].partition(':')[2][:8]}")
    assert gone.status_code == 200, gone.text
    assert (await client.delete(f"{path}/nothing")).status_code == 409
    await posted(client, path, 400, text=" ")
    await posted(client, f"/v1/runs/{run.id}/interrupt")
    await settled(engine)


async def test_annotations(engine: Engine, client: AsyncClient) -> None:
    run, other = await played(engine), await played(engine)
    path = f"/v1/runs/{run.id}"
    assert (await posted(client, f"{path}/tags", add=["Docs", "x"]))["tags"] == ["docs", "x"]
    assert (await posted(client, f"{path}/tags", remove=["x"]))["tags"] == ["docs"]
    await posted(client, f"{path}/tags", 400, add=["\0"])
    noted = await client.put(f"{path}/note", json={"text": "for later"})
    assert noted.json()["note"] == "for later"
    assert (await posted(client, f"{path}/dismiss"))["is_dismissed"]
    assert not (await posted(client, f"{path}/undismiss"))["is_dismissed"]
    found = await posted(client, "/v1/archive", runs=[run.id, other.id])
    assert [one["is_archived"] for one in found] == [True, True]
    assert (await posted(client, "/v1/unarchive", runs=[other.id]))[0]["is_archived"] is False
    await posted(client, "/v1/dismiss", 404, runs=[other.id, "nothing"])
    assert not (await engine.find(other.id)).is_dismissed


async def test_held_run_starts_past_the_pace(engine: Engine, client: AsyncClient) -> None:
    run = await held(engine)
    assert (await posted(client, f"/v1/runs/{run.id}/start"))["queue"]["ignores_pace"]
    assert (await posted(client, "/v1/queue/start", runs=[run.id]))[0]["id"] == run.id
    await posted(client, f"/v1/runs/{run.id}/cancel")
    await posted(client, f"/v1/runs/{run.id}/start", 409)


async def test_waiting_ends_with_its_time(engine: Engine, client: AsyncClient) -> None:
    run, ended = await held(engine), (await held(engine)).id
    await engine.cancel(ended)
    answer = await client.get(f"/v1/runs/{run.id}/wait?timeout_s=0")
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    several = await client.get(f"/v1/wait?run={ended}&run={run.id}&timeout_s=0.01")
    assert [one["status"] for one in several.json()] == ["cancelled", "queued"]
    every = await client.get("/v1/wait?all=true&timeout_s=0")
    assert [one["id"] for one in every.json()] == [run.id]
    for query in ("", "run=a&all=true", "all=true&timeout_s=601", "all=true&timeout_s=nan"):
        assert (await client.get(f"/v1/wait?{query}")).status_code == 400, query
    waiting = asyncio.create_task(client.get(f"/v1/wait?all=true&timeout_s={LIMIT_S}"))
    await engine.cancel(run.id)
    assert [one["status"] for one in (await waiting).json()] in (["cancelled"], [])


async def test_waiting_ends_when_the_server_stops(engine: Engine) -> None:
    context = ApiContext(engine)
    run = await held(engine)
    async with over(context) as client:
        waiting = asyncio.create_task(client.get(f"/v1/runs/{run.id}/wait?timeout_s=600"))
        context.stopping.set()
        async with asyncio.timeout(LIMIT_S):
            assert (await waiting).json()["status"] == "queued"
    await engine.cancel(run.id)


async def test_only_admin_trusts(engine: Engine, clients: Clients, tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    (repository / ".swarm").mkdir(parents=True)
    (repository / ".swarm/config.yaml").write_text("workspace: {setup: [touch ready]}\n")
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    body = {"prompt": script("say hello"), "agent": "simulated", "worktree": str(repository)}
    runner, admin, reader = [await clients(one) for one in (Scope.RUN, Scope.ADMIN, Scope.READ)]
    assert (await posted(reader, "/v1/runs", 403, **body))["code"] == "API_SCOPE_MISSING"
    assert (await posted(runner, "/v1/runs", 403, **body))["code"] == "SETUP_NOT_TRUSTED"
    refused = await posted(runner, "/v1/runs", 403, **body, trust=True)
    assert refused["code"] == "API_SCOPE_MISSING"
    await posted(admin, "/v1/runs", 201, **body, trust=True)
    await posted(runner, "/v1/runs", 201, **body)
    await settled(engine)


async def test_started_run_is_supervised_by_a_process_in_the_background(paths: Paths) -> None:
    """The process of the API supervises nothing."""
    async with Engine.open(paths) as engine:
        async with over(ApiContext(engine)) as client:
            body = {"prompt": script("say hello"), **SIMULATED}
            run = await posted(client, "/v1/runs", 201, **body)
            ended = await client.get(f"/v1/runs/{run['id']}/wait?timeout_s={LIMIT_S}")
        assert ended.json()["status"] == "succeeded"
        assert not engine.supervises
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(_wait_for_lock, paths)


async def test_killed_supervisor_is_replaced_while_a_client_waits(paths: Paths) -> None:
    async with Engine.open(paths) as engine:
        async with over(ApiContext(engine)) as client:
            body = {"prompt": script("wait 2", "say hello"), **SIMULATED}
            run = (await posted(client, "/v1/runs", 201, **body))["id"]
            waiting = asyncio.create_task(client.get(f"/v1/runs/{run}/wait?timeout_s={LIMIT_S}"))
            await until(engine, lambda: engine.view.runs[run].status is Status.RUNNING)
            os.kill(int(paths.lock.read_text().split()[0]), signal.SIGKILL)
            assert (await waiting).json()["status"] == "succeeded"
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(_wait_for_lock, paths)


def _wait_for_lock(paths: Paths) -> None:
    """Wait until the supervisor in the background has ended."""
    import fcntl

    with paths.lock.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

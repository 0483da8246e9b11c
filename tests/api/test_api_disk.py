"""Disk usage, clean-ups, the trash and forgotten runs over HTTP: nothing goes without its plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.json import CleanupJson, DiskUsageJson, EmptiedJson, ForgetPlanJson

Client = AsyncTestClient[Litestar]
WRONG = "0" * 64
HOSTILE: tuple[dict[str, Any], ...] = (
    {"runs": ["none"]},
    {"runs": ["\x00"]},
    {"runs": "all"},
    {"statuses": ["asleep"]},
    {"older_than_s": -1},
    {"older_than_s": 1e300},
    {"keep": -1},
    {"keep": 10**30},
    {"project": "\x00"},
    {"unknown": True},
)


def place(run: Run) -> Path:
    assert run.workspace
    return Path(run.workspace.path)


async def test_usage_is_that_of_the_command(
    engine: Engine, client: Client, printed: Printed
) -> None:
    run = await played(engine, "write big.txt words")
    answer = await client.get("/v1/disk")
    (shown,) = await printed("du")
    usage = msgspec.convert(answer.json(), DiskUsageJson, strict=True)
    assert {one.path for one in usage.places} == {one["path"] for one in shown["places"]}
    assert run.id in {one.run for one in usage.places}
    none = (await client.get("/v1/disk", params={"project": "nobody's"})).json()
    assert none["places"] == []


async def test_cleanup_needs_the_digest_of_its_plan(
    engine: Engine, client: Client, printed: Printed
) -> None:
    bare, unsaved = await played(engine, "say nothing"), await played(engine, "write a.txt a")
    plan = await client.post("/v1/cleanup/plan", json={})
    assert [plan.json()] == await printed("cleanup", "--dry-run")
    assert [item.run for item in msgspec.convert(plan.json(), CleanupJson).take] == [bare.id]
    for body in ({}, {"digest": ""}, {"digest": "x" * 64}):
        assert (await client.post("/v1/cleanup", json=body)).status_code == 400
    wider = {"including_unsaved": True, "digest": plan.json()["digest"]}
    for body in ({"digest": WRONG}, wider):
        refused = await client.post("/v1/cleanup", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "PLAN_CHANGED")
    assert place(bare).is_dir() and place(unsaved).is_dir()
    done = await client.post("/v1/cleanup", json={"digest": plan.json()["digest"]})
    assert (done.status_code, [one["run"] for one in done.json()["cleaned"]]) == (200, [bare.id])
    assert not place(bare).exists() and place(unsaved).is_dir()


async def test_plan_changes_with_runs_and_their_work(engine: Engine, client: Client) -> None:
    run = await played(engine, "write a.txt a")
    wish = {"including_unsaved": True}
    digest = (await client.post("/v1/cleanup/plan", json=wish)).json()["digest"]
    assert (await client.post("/v1/cleanup/plan", json=wish)).json()["digest"] == digest
    (place(run) / "b.txt").write_text("late work")
    refused = await client.post("/v1/cleanup", json={**wish, "digest": digest})
    assert refused.json()["code"] == "PLAN_CHANGED"
    digest = (await client.post("/v1/cleanup/plan", json=wish)).json()["digest"]
    other = await played(engine, "say more")
    refused = await client.post("/v1/cleanup", json={**wish, "digest": digest})
    assert refused.json()["code"] == "PLAN_CHANGED"
    assert place(run).is_dir() and place(other).is_dir()
    alone = {**wish, "runs": [run.id], "statuses": ["succeeded"], "older_than_s": 0, "keep": 0}
    digest = (await client.post("/v1/cleanup/plan", json=alone)).json()["digest"]
    done = await client.post("/v1/cleanup", json={**alone, "digest": digest})
    assert [one["run"] for one in done.json()["cleaned"]] == [run.id]


async def test_filters_of_a_plan(engine: Engine, client: Client, printed: Printed) -> None:
    run = await played(engine, "say nothing")
    filters: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
        ({"older_than_s": 86400}, ("--older-than", "1d")),
        ({"statuses": ["failed"]}, ("--status", "failed")),
        ({"project": "other"}, ("--project", "other")),
        ({"keep": 1}, ("--keep", "1")),
        ({"artefacts_only": True}, ("--artefacts-only",)),
        ({"codex": True}, ("--codex",)),
        ({"runs": [run.id]}, (run.id,)),
    )
    for body, words in filters:
        plan = (await client.post("/v1/cleanup/plan", json=body)).json()
        assert [plan] == await printed("cleanup", "--dry-run", *words), body
    for body in HOSTILE:
        answer = await client.post("/v1/cleanup/plan", json=body)
        assert 400 <= answer.status_code < 500, (body, answer.text)


async def test_trash_is_restored_and_emptied(
    engine: Engine, client: Client, printed: Printed
) -> None:
    runs = [await played(engine, "say nothing") for _ in range(2)]
    digest = (await client.post("/v1/cleanup/plan", json={})).json()["digest"]
    await client.post("/v1/cleanup", json={"digest": digest})
    trash = (await client.get("/v1/trash")).json()
    assert [trash] == await printed("cleanup", "--empty-trash", "--dry-run")
    assert len(msgspec.convert(trash, EmptiedJson, strict=True).trash) == 2
    entry = trash["trash"][0]
    back = await client.post(f"/v1/trash/{entry['id']}/restore")
    assert [one["id"] for one in back.json()["restored"]] == [entry["id"]]
    assert Path(entry["path"]).is_dir()
    stale = await client.post("/v1/trash/empty", json={"digest": trash["digest"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "PLAN_CHANGED")
    for name in (entry["id"], "none", "%00", "..%2f..", "a" * 5000):
        assert (await client.post(f"/v1/trash/{name}/restore")).status_code in (404, 405)
    undone = await client.post("/v1/trash/undo", json={})
    assert len(undone.json()["restored"]) == 1
    assert all(place(run).is_dir() for run in runs)
    nothing = await client.post("/v1/trash/undo", json={"runs": [runs[0].id]})
    assert (nothing.status_code, nothing.json()["code"]) == (400, "INPUT_INVALID")
    digest = (await client.post("/v1/cleanup/plan", json={})).json()["digest"]
    await client.post("/v1/cleanup", json={"digest": digest})
    wish = {"runs": [runs[0].id]}
    listed = (await client.get("/v1/trash", params={"run": runs[0].id})).json()
    done = await client.post("/v1/trash/empty", json={**wish, "digest": listed["digest"]})
    assert (done.status_code, done.json()["removed"]) == (200, 1)
    assert len((await client.get("/v1/trash")).json()["trash"]) == 1


async def test_runs_are_forgotten_as_planned(engine: Engine, client: Client) -> None:
    run, other = await played(engine, "write a.txt a"), await played(engine, "say nothing")
    body = {"runs": [run.id, other.id]}
    planned = (await client.post("/v1/forget/plan", json=body)).json()
    plan = msgspec.convert(planned, ForgetPlanJson, strict=True)
    assert (plan.workspaces, len(plan.unsaved)) == (2, 1)
    wrongs: tuple[dict[str, Any], ...] = (
        *({}, {"runs": []}, {**body, "digest": WRONG}, {"runs": ["none"], "digest": WRONG}),
    )
    for wrong in wrongs:
        assert 400 <= (await client.post("/v1/forget", json=wrong)).status_code < 500
    confirmed = {**body, "digest": plan.digest}
    refused = await client.post("/v1/forget", json=confirmed)
    assert (refused.status_code, refused.json()["code"]) == (409, "WORK_UNSAVED")
    done = await client.post("/v1/forget", json={**confirmed, "including_unsaved": True})
    assert sorted(done.json()["forgotten"]) == sorted(body["runs"])
    assert (await client.get(f"/v1/runs/{run.id}")).status_code == 404


async def test_mistake_in_the_settings_refuses_what_deletes(engine: Engine, client: Client) -> None:
    run = await played(engine, "say nothing")
    digest = (await client.post("/v1/cleanup/plan", json={})).json()["digest"]
    engine.paths.config.write_text("slots: many\n")
    for path, body in (
        ("/v1/cleanup", {"digest": digest}),
        ("/v1/trash/empty", {"digest": digest}),
        ("/v1/forget", {"runs": [run.id], "digest": digest}),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFIG_INVALID"), path
    assert place(run).is_dir()

"""Batches over HTTP, beside the commands on the same home; the simulated agent works on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api_commands import Printed
from httpx import AsyncClient
from support import settled

from engine.engine import Engine

Client = AsyncClient
QUICK = {"empty": True, "agent": "simulated", "prompt": "sim: say {{ city }}"}


async def started(client: Client, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/batches", json={**QUICK, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/batches/{answer.json()['id']}"
    return answer.json()


async def test_batch_of_rows_is_started_shown_and_reported(
    engine: Engine, client: Client, printed: Printed
) -> None:
    made = await started(client, rows=[{"city": "Rome"}, {"city": "Bern"}], count=2, name="trip")
    assert (made["runs"], made["name"]) == (4, "trip")
    await settled(engine)
    path = f"/v1/batches/{made['id']}"
    shown = (await client.get(path)).json()
    (same,) = await printed("batch", "show", made["id"])
    assert shown == same
    assert [task["given"] for task in shown["tasks"]] == [{"city": "Rome"}, {"city": "Bern"}]
    assert [(await client.get("/v1/batches")).json()] == await printed("batch", "ls")
    report = await client.get(f"{path}/report", params={"format": "csv"})
    assert report.headers["content-type"].startswith("text/csv")
    assert report.text.startswith("city,rank,run")
    assert (await client.get("/v1/batches/@last")).json()["id"] == made["id"]


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ({"tasks": ["sim: say a", "sim: say b"], "prompt": ""}, 2),
        ({"csv": "city\nRome\nBern\n"}, 2),
        ({"yaml": "- city: Rome\n- city: Bern\n"}, 2),
        ({"matrix": {"city": ["Rome", "Bern"], "model": ["a", "b"]}}, 4),
        ({"prompt": "sim: say hello", "count": 3}, 3),
        ({"yaml": "steps:\n- {name: a, prompt: 'sim: say a'}\n"
          "- {name: b, after: [a], prompt: 'sim: say b'}\n", "prompt": ""}, 2),
    ],
)  # fmt: skip
async def test_plan_of_each_source_starts_nothing(
    engine: Engine, client: Client, source: dict[str, Any], runs: int
) -> None:
    answer = await client.post("/v1/batches", json={**QUICK, **source, "dry_run": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["runs"] == len(answer.json()["planned"]) == runs
    assert await engine.runs() == []


async def test_plan_is_that_of_the_command(
    client: Client, printed: Printed, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("city\nRome\nBern\n")
    body = {**QUICK, "csv": file.read_text(), "dry_run": True}
    planned = (await client.post("/v1/batches", json=body)).json()
    words = ("batch", "start", QUICK["prompt"], "--from", str(file), "--empty", "--dry-run")
    (same,) = await printed(*map(str, words), "--agent", "simulated")
    planned["free"] = same["free"]
    assert planned == same


async def test_rows_name_their_repositories(client: Client, tmp_path: Path) -> None:
    body = {"agent": "simulated", "prompt": "sim: say hello", "dry_run": True}
    folder = tmp_path / "site"
    folder.mkdir()
    rows = [{"repository": str(folder)}]
    named = await client.post("/v1/batches", json={**body, "rows": rows})
    assert named.status_code == 200, named.text
    for wrong in ([{"repository": "site"}], [{"repository": str(folder)}, {"title": "x"}]):
        refused = await client.post("/v1/batches", json={**body, "rows": wrong})
        assert refused.status_code == 400, refused.text


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rows": []},
        {"rows": [{"city": "Rome"}], "csv": "city\nBern\n"},
        {"rows": [{"not a name": "x"}]},
        {"rows": [{"city": ["x"]}]},
        {"rows": [{"city": "\0"}]},
        {"rows": [{"other": "x"}]},
        {"rows": [{f"c{n}": 1 for n in range(101)}]},
        {"csv": "city\n" + "x\n" * 1001},
        {"csv": 'city\n"open\n'},
        {"csv": "x" * (4 * 1024**2 + 1)},
        {"yaml": "a: &a [x]\nb: *a\n"},
        {"yaml": "[" * 5000},
        {"matrix": {"city": []}},
        {"matrix": {"city": ["a"] * 100, "model": ["a"] * 100}},
        {"count": 0},
        {"count": 10**30},
        {"count": 2, "total_budget": "nothing"},
        {"count": 2, "total_budget": -1},
        {"count": 2, "empty": False},
        {"count": 2, "copy": "/nowhere", "empty": False},
        {"count": 2, "copy": "relative", "empty": False},
        {"count": 2, "copy": "/tmp"},
        {"count": 2, "template": "nothing"},
        {"count": 2, "params": {"x": 1}, "template": "test"},
        {"count": 2, "unknown": 1},
        {"count": 2, "prompt": ""},
    ],
)
async def test_invalid_batch_starts_nothing(
    engine: Engine, client: Client, change: dict[str, Any]
) -> None:
    for dry_run in (True, False):
        answer = await client.post("/v1/batches", json={**QUICK, "dry_run": dry_run, **change})
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["code"] != "INTERNAL"
    assert await engine.runs() == []


async def test_batches_have_pages(client: Client) -> None:
    ids = [(await started(client, prompt="sim: say x", count=2))["id"] for _ in range(3)]
    first = await client.get("/v1/batches", params={"limit": 2})
    assert [each["id"] for each in first.json()] == ids[:0:-1]
    path = first.headers["link"].partition(">")[0].removeprefix("<")
    second = await client.get(path)
    assert [each["id"] for each in second.json()] == ids[:1]
    assert "link" not in second.headers
    lost = await client.get("/v1/batches", params={"cursor": "nothing\0"})
    assert lost.status_code == 404


async def test_batch_is_cancelled_and_retried(engine: Engine, client: Client) -> None:
    made = await started(client, prompt="sim: hang", count=2)
    path = f"/v1/batches/{made['id']}"
    cancelled = await client.post(f"{path}/cancel", json={"kill": True})
    assert cancelled.status_code == 200
    assert len(cancelled.json()) == 2
    await settled(engine)
    assert (await client.post(f"{path}/cancel")).json() == []
    failed = await started(client, prompt="sim: exit 3", count=2)
    await settled(engine)
    path = f"/v1/batches/{failed['id']}"
    retried = await client.post(f"{path}/retry", json={"total_budget": "2M", "fresh": True})
    assert retried.status_code == 200, retried.text
    assert [run["attempt"] for run in retried.json()] == [2, 2]
    assert (await client.get(path)).json()["budget"] == 2_000_000
    refused = await client.post(f"{path}/retry", json={"total_budget": "x"})
    assert refused.status_code == 400
    await settled(engine)


@pytest.mark.parametrize("name", ["nothing", "%00", "%ff", "..%2f", "x" * 3000, "a'b"])
async def test_hostile_batch_is_not_found(client: Client, name: str) -> None:
    for words in ("", "/report"):
        assert (await client.get(f"/v1/batches/{name}{words}")).status_code == 404
    for words in ("/cancel", "/retry"):
        assert (await client.post(f"/v1/batches/{name}{words}")).status_code == 404


async def test_best_run_is_compared_applied_and_the_other_dropped(
    client: Client, printed: Printed, tmp_path: Path
) -> None:
    source = tmp_path / "site"
    source.mkdir()
    (source / "a.txt").write_text("old\n")
    script = "sim: write a.txt new"
    made = await started(client, prompt=script, empty=False, copy=str(source), count=2)
    path = f"/v1/batches/{made['id']}"
    waited = await client.get(f"{path}/wait", params={"timeout_s": 60})
    assert [run["status"] for run in waited.json()] == ["succeeded"] * 2
    compared = (await client.get(f"{path}/compare")).json()
    (same,) = await printed("batch", "compare", made["id"])
    assert compared == same
    (task,) = compared
    planned = (await client.post(f"{path}/drop/plan")).json()
    (same,) = await printed("batch", "drop", made["id"], "--dry-run")
    assert planned == same
    assert [item["run"] for item in planned["take"]] == [
        run["run"] for run in task["runs"] if run["run"] != task["winner"]
    ]
    checked = await client.post(f"{path}/apply", json={"check": True})
    assert [row["outcome"] for row in checked.json()] == ["fits"]
    assert (source / "a.txt").read_text() == "old\n"
    applied = await client.post(f"{path}/apply")
    assert [row["run"] for row in applied.json()] == [task["winner"]], applied.text
    assert (source / "a.txt").read_text() == "new\n"
    refused = await client.post(f"{path}/drop", json={"digest": "0" * 64})
    assert (refused.status_code, refused.json()["code"]) == (409, "PLAN_CHANGED")
    dropped = await client.post(f"{path}/drop", json={"digest": planned["digest"]})
    assert [one["run"] for one in dropped.json()["cleaned"]] == [planned["take"][0]["run"]]
    nothing = (await client.post(f"{path}/drop/plan")).json()
    assert nothing["take"] == []
    assert (
        await client.post(f"{path}/drop", json={"digest": nothing["digest"]})
    ).status_code == 200


async def test_run_of_another_batch_is_not_applied(engine: Engine, client: Client) -> None:
    made = await started(client, prompt="sim: say x", count=2)
    other = await started(client, prompt="sim: say x", count=2)
    await settled(engine)
    runs = [run.id for run in await engine.swarms.runs(other["id"])][:1]
    for body in ({}, {"runs": runs}, {"runs": ["nothing"]}, {"to": "relative"}):
        answer = await client.post(f"/v1/batches/{made['id']}/apply", json=body)
        assert answer.status_code in (400, 404), answer.text

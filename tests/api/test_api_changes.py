"""Changes of runs over HTTP: the answers of the commands, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import repos
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played, until

from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from tui.cli.json import AppliedJson, DiffJson, UpdatedJson

Client = AsyncTestClient[Litestar]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "source")


async def changed(engine: Engine, source: Path, *lines: str) -> Run:
    """Return a run in a worktree of the source that has ended."""
    return await played(
        engine, *lines, workspace=WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    )


@pytest.fixture
async def run(engine: Engine, source: Path) -> str:
    """A run that changed two files, in the home of the engine."""
    return (await changed(engine, source, "write a.txt new", "write sub/c.txt c")).id


async def test_diff_has_the_forms_of_the_command(
    client: Client, printed: Printed, run: str
) -> None:
    url = f"/v1/runs/{run}/diff"
    answer = await client.get(url)
    assert [answer.json()] == await printed("diff", run)
    assert len(msgspec.convert(answer.json(), DiffJson, strict=True).changes) == 2
    stat = await client.get(url, params={"format": "stat"})
    assert stat.headers["content-type"].startswith("text/plain")
    assert "modified" in stat.text and stat.text.splitlines()[-1].startswith("2 files")
    patch = await client.get(url, params={"format": "patch"})
    assert patch.headers["content-type"] == "text/x-diff"
    assert patch.headers["x-content-type-options"] == "nosniff"
    assert "+new" in patch.text and "sub/c.txt" in patch.text
    assert (await client.get(url, params={"format": "html"})).status_code == 400


async def test_diff_of_some_paths(client: Client, printed: Printed, run: str) -> None:
    url = f"/v1/runs/{run}/diff"
    for form in ("json", "stat", "patch"):
        text = (await client.get(url, params={"format": form, "path": "sub/"})).text
        assert "sub/c.txt" in text and "a.txt" not in text, form
    answer = (await client.get(url, params={"path": ["sub", "none"]})).json()
    assert (answer["files"], answer["insertions"]) == (1, 1)
    assert [answer] == await printed("diff", run, "sub", "none")


async def test_diff_between_checkpoints_and_runs(
    engine: Engine, client: Client, printed: Printed, source: Path, run: str
) -> None:
    url = f"/v1/runs/{run}/diff"
    assert (await client.get(url, params={"until": 0})).json()["files"] == 0
    checkpoints = (await client.get(f"/v1/runs/{run}/checkpoints")).json()
    assert [checkpoints] == await printed("restore", run)
    last = checkpoints[-1]["n"]
    assert (await client.get(url, params={"since": last, "until": last})).json()["files"] == 0
    other = (await changed(engine, source, "write a.txt other")).id
    answer = await client.get(url, params={"against": other})
    assert [answer.json()] == await printed("diff", run, "--against", other)
    patch = await client.get(url, params={"against": other, "format": "patch"})
    assert "-other" in patch.text and "+new" in patch.text
    compared = await client.get(f"/v1/runs/{run}/compare", params={"other": other})
    (shown,) = await printed("compare", run, other)
    assert [one["run"] for one in compared.json()[0]["runs"]] == [
        one["run"] for one in shown[0]["runs"]
    ]
    alone = await client.get(f"/v1/runs/{run}/compare")
    assert (alone.status_code, alone.json()["code"]) == (400, "INPUT_INVALID")


async def test_invalid_requests_for_diffs(client: Client, run: str) -> None:
    url = f"/v1/runs/{run}/diff"
    for query in (
        *("until=-1", "until=99999999999999999999", "until=x", "since=1&against=@last"),
        *("until=77", "since=77", "since=77&format=patch", "against=none", "against=%00"),
    ):
        answer = await client.get(f"{url}?{query}")
        assert 400 <= answer.status_code < 500, (query, answer.text)
    for path in ("%00", "..", "/etc/passwd", "%FF", ":(glob)**", "a" * 10_000, "%5Cud800", "-rf"):
        for form in ("json", "patch", "stat"):
            answer = await client.get(f"{url}?format={form}&path={path}")
            assert answer.status_code < 500, (form, path, answer.text)
            assert "root:" not in answer.text


async def test_patch_can_be_applied_by_git(client: Client, source: Path, run: str) -> None:
    answer = await client.get(f"/v1/runs/{run}/patch")
    assert answer.headers["content-type"] == "application/octet-stream"
    repos.git(source, "apply", stdin=answer.content)
    assert (source / "a.txt").read_text() == "new\n"


async def test_run_without_a_source_has_a_patch(
    engine: Engine, client: Client, tmp_path: Path
) -> None:
    run = await played(engine, "write a.txt new")
    answer = await client.get(f"/v1/runs/{run.id}/patch")
    assert answer.status_code == 200
    other = repos.repository(tmp_path / "other", {})
    repos.git(other, "apply", stdin=answer.content)
    assert (other / "a.txt").read_text() == "new\n"


async def test_checkpoints_are_restored(engine: Engine, client: Client, run: str) -> None:
    known = engine.view.runs[run]
    assert known.workspace
    file = Path(known.workspace.path) / "a.txt"
    done = await client.post(f"/v1/runs/{run}/restore", json={"checkpoint": 0})
    assert (done.status_code, sorted(done.json()["files"])) == (200, ["a.txt", "sub/c.txt"])
    assert file.read_text().startswith("one")
    back = await client.post(f"/v1/runs/{run}/restore", json={"checkpoint": done.json()["undo"]})
    assert (back.status_code, file.read_text()) == (200, "new\n")
    wrongs: tuple[object, ...] = (
        *({}, {"checkpoint": -1}, {"checkpoint": 10**30}, {"checkpoint": 99}, [], None),
    )
    for wrong in wrongs:
        answer = await client.post(f"/v1/runs/{run}/restore", json=wrong)
        assert 400 <= answer.status_code < 500, wrong


async def test_comments_are_added_edited_and_removed(
    client: Client, printed: Printed, run: str
) -> None:
    url = f"/v1/runs/{run}/comments"
    made = await client.post(url, json={"path": "a.txt", "first": 1, "text": "Why?"})
    assert (made.status_code, made.json()["n"]) == (201, 1)
    old = {"path": "a.txt", "first": 1, "last": 2, "text": "Keep", "old": True}
    assert (await client.post(url, json=old)).json()["is_old"]
    assert [(await client.get(url)).json()] == await printed("comments", run)
    assert [(await client.get(url, params={"n": 2})).json()] == await printed("comments", run, "2")
    edited = await client.patch(f"{url}/1", json={"text": "Because"})
    assert (edited.json()["text"], edited.json()["line"]) == ("Because", 1)
    both = await client.delete(url, params={"n": [1, 7]})
    assert (both.status_code, both.json()["code"]) == (404, "COMMENT_NOT_FOUND")
    assert [one["n"] for one in (await client.delete(url, params={"n": 1})).json()] == [2]
    hostile: tuple[dict[str, Any], ...] = (
        {"path": "../x", "first": 1, "text": "x"},
        {"path": "\x00", "first": 1, "text": "x"},
        {"path": "\\x00", "first": 1, "text": "x", "old": True},
        {"path": "a.txt", "first": 0, "text": "x"},
        {"path": "a.txt", "first": 10**20, "text": "x"},
        {"path": "a.txt", "first": 2, "last": 1, "text": "x"},
        {"path": "a.txt", "first": 1, "text": ""},
        {"path": "a.txt", "first": 1, "text": "x\x00"},
        {"path": "a" * 10_000, "first": 1, "text": "x"},
        {"path": "\\ud800", "first": 1, "text": "x"},
        {"path": "a.txt", "first": 1, "text": "x", "more": 1},
    )
    for one in hostile:
        assert 400 <= (await client.post(url, json=one)).status_code < 500, one
    raw = await client.post(url, content=b'{"path": "\\ud800", "first": 1, "text": "x"}')
    assert raw.status_code == 400


async def test_changes_are_checked_applied_and_undone(
    client: Client, printed: Printed, source: Path, run: str
) -> None:
    url = f"/v1/runs/{run}/apply"
    checked = await client.post(url, json={"check": True})
    assert [checked.json()] == await printed("apply", run, "--check")
    assert (source / "a.txt").read_text().startswith("one")
    done = await client.post(url, json={})
    assert msgspec.convert(done.json(), AppliedJson, strict=True).applied
    assert (source / "a.txt").read_text() == "new\n"
    undone = await client.post(f"{url}/undo")
    assert (undone.status_code, undone.json()["files"]) == (200, ["a.txt", "sub/c.txt"])
    assert (source / "a.txt").read_text().startswith("one")
    refused = await client.post(f"{url}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "UNDO_REFUSED")


async def test_changes_are_committed_elsewhere(
    client: Client, tmp_path: Path, source: Path, run: str
) -> None:
    clone = tmp_path / "clone"
    repos.git(tmp_path, "clone", "-q", str(source), str(clone))
    repos.git(clone, "config", "user.name", "U")
    repos.git(clone, "config", "user.email", "u@example.com")
    body = {"as": "merge", "to": str(clone), "message": "From a program"}
    done = await client.post(f"/v1/runs/{run}/apply", json=body)
    assert (done.status_code, done.json()["merged_into"]) == (200, "main"), done.text
    assert "From a program" in repos.git(clone, "log", "-3", "--format=%B")
    assert (source / "a.txt").read_text().startswith("one")


async def test_applies_that_are_refused(client: Client, source: Path, run: str) -> None:
    url = f"/v1/runs/{run}/apply"
    (source / "a.txt").write_text("mine")
    assert (await client.post(url, json={"check": True})).json()["outcome"] == "conflict"
    conflict = await client.post(url, json={})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "APPLY_CONFLICT")
    for body in (
        *({"as": "patch"}, {"as": 1}, {"to": "relative"}, {"to": "/a\x00"}, {"to": "/none"}),
        *({"message": "\x00"}, {"check": True, "resolve": True}, {"to": "/etc/passwd"}),
        *({"to": "~"}, {"to": "/" + "a" * 4000}, {"unknown": 1}),
    ):
        answer = await client.post(url, json=body)
        assert 400 <= answer.status_code < 500, (body, answer.text)
    assert (source / "a.txt").read_text() == "mine"


async def test_several_runs_have_a_row_each(engine: Engine, client: Client, source: Path) -> None:
    texts = ("write a.txt first", "write b.txt b", "write a.txt third")
    runs = [(await changed(engine, source, text)).id for text in texts]
    answer = await client.post("/v1/apply", json={"runs": [*runs, runs[0]]})
    rows = msgspec.convert(answer.json(), list[AppliedJson], strict=True)
    assert [row.outcome for row in rows] == ["applied", "applied", "conflict"]
    assert rows[2].reason and rows[2].reason.code == "APPLY_CONFLICT"
    wrongs: tuple[list[str], ...] = ([], ["none"], ["\x00"], ["x"] * 5000)
    for wrong in wrongs:
        answer = await client.post("/v1/apply", json={"runs": wrong})
        assert 400 <= answer.status_code < 500


async def test_workspaces_are_updated(
    engine: Engine, client: Client, printed: Printed, source: Path, run: str
) -> None:
    repos.write(source, {"d.txt": "d"})
    repos.commit(source, "more")
    url = f"/v1/runs/{run}/update"
    checked = await client.post(url, json={"check": True})
    assert [checked.json()] == await printed("update", run, "--check")
    done = await client.post(url, json={})
    assert msgspec.convert(done.json(), UpdatedJson, strict=True).updated
    assert (await client.post(f"{url}/undo")).json()["undone"]
    repos.write(source, {"a.txt": "theirs\n"})
    repos.commit(source, "conflict")
    rows = (await client.post("/v1/update", json={"runs": [run]})).json()
    assert rows[0]["error"]["code"] == "UPDATE_CONFLICT"
    assert (await client.post(url, json={})).json()["code"] == "UPDATE_CONFLICT"
    resolved = await client.post(url, json={"resolve": True})
    assert resolved.json()["resumed"]
    await until(engine, lambda: engine.view.runs[run].finished_at)
    for wrong in ({"base": "\x00"}, {"base": "none"}, {"base": "-x"}):
        assert 400 <= (await client.post(url, json=wrong)).status_code < 500, wrong


async def test_branch_is_pushed(client: Client, tmp_path: Path, source: Path, run: str) -> None:
    remote = tmp_path / "remote.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(remote))
    repos.git(source, "remote", "add", "origin", str(remote))
    url = f"/v1/runs/{run}/push"
    for wrong in (
        {"draft": True},
        {"pr": True, "title": " "},
        {"branch": "a..b"},
        {"remote": "-x"},
    ):
        assert 400 <= (await client.post(url, json=wrong)).status_code < 500, wrong
    done = await client.post(url, json={"branch": "fix/cents"})
    assert (done.status_code, done.json()["branch"]) == (200, "fix/cents"), done.text
    assert repos.git(remote, "rev-parse", "fix/cents") == done.json()["commit"]
    read = await client.post("/v1/pr")
    assert (read.status_code, sorted(read.json())) == (200, ["errors", "runs"])


async def test_mistake_in_the_settings_refuses_an_update(
    engine: Engine, client: Client, run: str
) -> None:
    engine.paths.config.write_text("slots: many\n")
    answer = await client.post(f"/v1/runs/{run}/update", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFIG_INVALID")


async def test_files_are_marked_as_reviewed(client: Client, printed: Printed, run: str) -> None:
    url = f"/v1/runs/{run}/reviewed"
    done = await client.post(url, json={"paths": ["sub"]})
    assert [one["path"] for one in done.json()] == ["sub/c.txt"]
    assert [(await client.get(url)).json()] == await printed("reviewed", run)
    shown = (await client.get(url, params={"path": "sub/c.txt"})).json()
    assert [one["is_reviewed"] for one in shown] == [True]
    await client.post(url, json={"paths": ["."], "reviewed": False})
    assert not any(one["is_reviewed"] for one in (await client.get(url)).json())
    unknown = await client.post(url, json={"paths": ["nothing.txt"]})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "INPUT_INVALID")

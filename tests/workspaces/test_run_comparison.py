"""The workspaces of two runs compared by git objects, whatever each was made from."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from repos import written

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.run_comparison import compare_stores, write_comparison


async def store_of(
    home: Path, name: str, before: dict[str, str | bytes], after: dict[str, str | bytes], kind: str
) -> Checkpoints:
    """Return the store of a run that began with some files, and has others now."""
    root = home / name
    source = None
    if kind == "empty":
        root.mkdir(parents=True)
        repos.write(root, before)
    else:
        repos.repository(root, before, f"--object-format={kind}")
        source = str(root)
    workspace = Workspace(str(root), WorkspaceKind.COPY if source else WorkspaceKind.EMPTY, source)
    store = await Checkpoints.make(home / "stores" / name, workspace)
    await store.record("baseline")
    repos.write(root, after)
    return store


async def test_two_workspaces_differ_in_what_only_one_of_them_has(tmp_path: Path) -> None:
    same: dict[str, str | bytes] = {"same.txt": "1\n2\n", "both.txt": "x\n"}
    one = await store_of(tmp_path, "one", same, {"both.txt": "one\n", "new.txt": "n\n"}, "empty")
    two = await store_of(tmp_path, "two", same, {"both.txt": "two\n"}, "empty")
    compared = await compare_stores(one, two)
    found = {file.path: file.kind.value for file in compared.changes.files}
    assert found == {"both.txt": "modified", "new.txt": "deleted"}
    diff = (await compared.diff(compared.changes.files[0])).decode()
    assert "-one\n+two\n" in diff
    whole = await written(lambda file: write_comparison(compared, file))
    assert b"-one\n+two\n" in whole and b"deleted file" in whole
    part = await written(lambda file: write_comparison(compared, file, ["new.txt"]))
    assert b"both.txt" not in part and b"-n\n" in part
    assert (await compare_stores(one, one)).changes.files == ()


async def test_baselines_and_kinds_of_workspaces_may_differ(tmp_path: Path) -> None:
    one = await store_of(tmp_path, "one", {"a.txt": "a\n"}, {"c.txt": "c\n"}, "sha1")
    two = await store_of(tmp_path, "two", {"b.txt": "b\n"}, {"c.txt": "c\n"}, "empty")
    compared = await compare_stores(one, two)
    assert [file.path for file in compared.changes.files] == ["a.txt", "b.txt"]


async def test_different_hashes_are_refused_by_name(tmp_path: Path) -> None:
    one = await store_of(tmp_path, "one", {"a.txt": "a\n"}, {}, "sha1")
    two = await store_of(tmp_path, "two", {"a.txt": "a\n"}, {}, "sha256")
    with pytest.raises(UserError, match="sha1 and sha256") as caught:
        await compare_stores(one, two)
    assert caught.value.code == "INPUT_INVALID"

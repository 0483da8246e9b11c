"""The tree of tasks: what fails starts again, later and later, and takes nothing else with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from support import becomes

from engine.domain.errors import user_error
from engine.execution import faults, task_tree
from engine.execution.task_tree import FinalError, TaskTree


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", task_tree.Backoff(0.01, 2.0, 0.02, 5.0, 3))


@pytest.fixture
async def tasks() -> AsyncIterator[TaskTree]:
    made = TaskTree()
    yield made
    await made.close()
    assert not made.tasks()


class Work:
    """Fails so often, then works until it is ended."""

    def __init__(self, failures: float, error: Exception | None = None) -> None:
        self.starts = 0
        self.failures = failures
        self.error = error or ValueError("broken")

    async def __call__(self) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise self.error
        await asyncio.Event().wait()


async def test_a_task_that_failed_starts_again_and_the_fault_is_shown_until_it_works(
    tasks: TaskTree, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(2)
    tasks.start("reader", work)
    await becomes(lambda: tasks.faults.current)
    (fault,) = tasks.faults.current
    assert (fault.task, fault.error) == ("reader", "ValueError: broken")
    await becomes(lambda: work.starts == 3 and not tasks.faults.current)
    assert caplog.records[0].message == ("reader failed (1 in a row): ValueError: broken")


async def test_other_tasks_go_on_beside_one_that_fails_for_ever(tasks: TaskTree) -> None:
    broken, good = Work(float("inf")), Work(0)
    tasks.start("broken", broken)
    working = tasks.start("good", good)
    await becomes(lambda: broken.starts > 5)
    assert good.starts == 1
    assert not working.is_done


async def test_the_log_of_a_task_that_fails_for_ever_stays_short(
    tasks: TaskTree, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(float("inf"))
    tasks.start("broken", work)
    await becomes(lambda: work.starts > 20)
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) <= 6
    assert sum(record.exc_info is not None for record in lines) == 1


async def test_work_that_returns_is_done(tasks: TaskTree) -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    task = tasks.start("short", work)
    await task.wait()
    assert (task.error, tasks.tasks()) == (None, [])


async def test_a_final_error_ends_the_task(tasks: TaskTree) -> None:
    task = tasks.start("home", Work(9, FinalError(user_error("INTERNAL", "The home is gone."))))
    await task.wait()
    assert str(task.error) == "The home is gone."


async def test_a_task_is_given_up_after_a_few_faults_of_one_kind(tasks: TaskTree) -> None:
    given_up: list[BaseException] = []

    async def give_up(error: BaseException) -> None:
        given_up.append(error)

    work = Work(float("inf"))
    task = tasks.start("run 1", work, give_up=give_up)
    await task.wait()
    assert (work.starts, given_up) == (3, [work.error])


async def test_a_passing_condition_is_waited_out_whatever_it_takes(tasks: TaskTree) -> None:
    given_up: list[BaseException] = []

    async def give_up(error: BaseException) -> None:
        given_up.append(error)

    work = Work(8, OSError(24, "Too many open files"))
    tasks.start("run 1", work, run="1", give_up=give_up)
    await becomes(lambda: tasks.faults.current)
    assert tasks.faults.current[0].passing == "too many files are open"
    await becomes(lambda: work.starts == 9)
    assert not given_up


async def test_what_fails_in_giving_up_is_tried_again_without_haste(tasks: TaskTree) -> None:
    tries: list[int] = []

    async def give_up(_: BaseException) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise KeyError("also broken")

    task = tasks.start("run 1", Work(float("inf")), give_up=give_up)
    await task.wait()
    assert len(tries) == 3


async def test_a_rest_ends_when_the_task_is_woken(
    tasks: TaskTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", task_tree.Backoff(3600.0, 2.0, 3600.0))
    work = Work(1)
    task = tasks.start("run 1", work)
    await becomes(lambda: tasks.faults.current)
    task.wake()
    await becomes(lambda: work.starts == 2)


async def test_a_task_may_be_made_to_fail_from_outside(tasks: TaskTree) -> None:
    work = Work(0)
    task = tasks.start("run 1", work)
    await becomes(lambda: work.starts == 1)
    task.fail(ValueError("met elsewhere"))
    await becomes(lambda: work.starts == 2)
    assert not task.is_done


async def test_a_cancel_that_leaks_in_from_elsewhere_is_a_fault_as_others_are(
    tasks: TaskTree,
) -> None:
    starts: list[int] = []

    async def work() -> None:
        starts.append(1)
        if len(starts) == 1:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    tasks.start("reader", work)
    await becomes(lambda: len(starts) == 2)


async def test_a_tree_ends_with_its_branches_while_tasks_rest_and_work(tasks: TaskTree) -> None:
    branch = tasks.branch()
    branch.start("below", Work(float("inf")))
    branch.start("also below", Work(0))
    assert {task.name for task in tasks.tasks()} == {"below", "also below"}
    await asyncio.gather(branch.close(), branch.close())  # two may want that
    assert tasks.tasks() == []


async def test_a_guarded_callback_that_fails_is_recorded_until_it_works() -> None:
    found = faults.Faults()
    with found.guard("radar"):
        raise ValueError("broken")
    assert [fault.task for fault in found.current] == ["radar"]
    with found.guard("radar"):
        pass
    assert found.current == ()


async def test_a_task_that_is_failed_before_its_first_step_starts_again(tasks: TaskTree) -> None:
    work = Work(0)
    task = tasks.start("task", work)
    task.fail(ValueError("before it began"))
    await becomes(lambda: work.starts)
    assert task.in_a_row == 1

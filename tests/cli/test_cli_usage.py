"""`swarm-tui usage`: what a ledger holds as a table, as JSON and as comma-separated values."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from pseudo import Terminal
from typed import Result, Swarm

from engine.config.paths import Paths
from engine.domain.model import RunSpec
from engine.domain.usage import LimitCycle, LimitSample, UsageGroup, slot_of
from engine.domain.usage_json import CSV_COLUMNS
from engine.engine import Engine
from tui.cli import json as shapes
from tui.cli.support.usage_output import first_day
from tui.cli.support.usage_table import cycle_lines

HOSTILE = ("=cmd|'/C calc'!A0", "\x1b[2J\x1b]0;x\x07\u202egarden", "g" * 5000)


@pytest.fixture(autouse=True)
def _no_other_sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))


@pytest.fixture
def today() -> float:
    """Noon of the present day, in local time."""
    return datetime.now().replace(hour=12, minute=0, second=0, microsecond=0).timestamp()


def use(
    paths: Paths,
    run: str,
    at: float,
    tokens: tuple[int, int, int] = (1000, 400, 100),
    *,
    model: str = "test-model",
    account: str = "default",
    project: str = "garden",
) -> None:
    """Count the usage of a run."""
    place = (run, slot_of(at), model, account, project)
    with closing(sqlite3.connect(paths.database)) as database, database:
        database.execute(
            "INSERT INTO usage_slots (run, slot, model, account, project, input, cached, output,"
            " reasoning, requests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 10, 2)",
            (*place, *tokens),
        )


def sample(paths: Paths, *samples: LimitSample) -> None:
    """Store samples of rate-limit windows."""
    with closing(sqlite3.connect(paths.database)) as database, database:
        for one in samples:
            place = (one.account, one.name, one.at)
            database.execute(
                "INSERT INTO limit_samples (account, name, at, used_percent, window_minutes,"
                " resets_at) VALUES (?, ?, ?, ?, ?, ?)",
                (*place, one.used_percent, one.window_minutes, one.resets_at),
            )


def add_runs(paths: Paths, *titles: str) -> list[str]:
    """Add runs that have ended, and return their ids in the same order."""

    async def add() -> list[str]:
        async with Engine.open(paths, follow=False) as engine:
            store = engine._store
            made = [await store.create(RunSpec("do it", title, "garden"), ()) for title in titles]
            return [run for one in made for run in one.runs]

    made = asyncio.run(add())
    with closing(sqlite3.connect(paths.database)) as database, database:
        database.execute("UPDATE runs SET status = 'succeeded'")
    return made


def table(done: Result) -> dict[str, dict[str, str]]:
    """Return the cells of a table in a pipe, by the first word of each line."""
    heading, *lines = [line.split() for line in done.out.splitlines() if line]
    return {line[0]: dict(zip(heading[1:], line[1:], strict=False)) for line in lines}


def test_nothing_was_used_in_a_new_home(inside: Swarm) -> None:
    done = inside("usage")
    assert (done.code, done.out) == (0, "")
    assert "No usage since " in done.err
    done = inside("usage", "--by", "run")
    assert (done.code, done.out, done.err) == (0, "", "No usage yet.\n")
    done = inside("usage", "--by", "cycle")
    assert (done.code, done.out, done.err) == (0, "", "No rate-limit window was reported yet.\n")
    done = inside("usage", "--csv")
    assert done.out.splitlines() == [",".join(CSV_COLUMNS)]
    msgspec.convert(inside("usage", "--json").json, shapes.UsageJson, strict=True)


def test_the_last_fourteen_days_are_listed_by_day(
    inside: Swarm, paths: Paths, today: float
) -> None:
    add_runs(paths)
    for days in (0, 13, 14):
        use(paths, "gone", today - days * 86_400)
    done = inside("usage")
    first, last = (datetime.now().date() - timedelta(days=days) for days in (13, 0))
    found = table(done)
    assert list(found) == [str(first), str(last), "total"]
    assert found["total"] == {
        "TOKENS": "2.2k",
        "FRESH": "1.2k",
        "CACHED": "800",
        "OUTPUT": "200",
        "REASONING": "20",
        "REQUESTS": "4",
        "RUNS": "1",
    }
    everything = inside("usage", "--by", "model")
    assert table(everything)["test-model"]["TOKENS"] == "3.3k"
    latest = inside("usage", "-n", "1")
    assert list(table(latest)) == [str(last), "total"]
    assert table(latest)["total"] == found["total"]
    assert "Not listed: 1 more; -n NUMBER lists them." in latest.err
    (row,) = inside("usage", "-n", "1", "--json").json["rows"]
    assert row["key"] == str(last)
    since = str(datetime.now().date() - timedelta(days=14))
    assert len(table(inside("usage", "--since", since))) == 4
    assert len(table(inside("usage", "--since", since, "--until", str(last)))) == 3
    assert inside("usage", "--since", "1s", "--until", since).code == 2


def test_runs_are_named_by_id_and_title_and_selected_by_a_filter(
    inside: Swarm, paths: Paths
) -> None:
    now = time.time()
    plain, archived = add_runs(paths, "Fix the parser", "Old work")
    with closing(sqlite3.connect(paths.database)) as database, database:
        database.execute(
            "UPDATE runs SET state = json_set(state, '$.is_archived', json('true')) WHERE id = ?",
            (archived,),
        )
    for run, tokens in ((plain, 1000), (archived, 2000), ("gone", 3000)):
        use(paths, run, now, (tokens, 0, 0))
    done = inside("usage", "--by", "run")
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == [
        "forgotten",
        archived,
        plain,
        "total",
    ]
    assert f"{plain}  Fix the parser" in done.out
    selected = inside("usage", "--by", "run", "project:garden", "--json").json
    assert [(row["key"], row["title"]) for row in selected["rows"]] == [
        (archived, "Old work"),
        (plain, "Fix the parser"),
    ]
    assert selected["total"]["tokens"]["input"] == 3000
    done = inside("usage", "nothing-like-that")
    assert (done.code, done.out, done.err) == (0, "", "No usage matches.\n")
    done = inside("usage", "--account", "no-one")
    assert (done.code, done.err) == (0, "No usage of an account named no-one.\n")
    done = inside("usage", "status:never")
    assert done.code == 2
    assert "unknown value never" in done.err
    done = inside("usage", "--by", "run", "-n", "1")
    assert len(done.out.splitlines()) == 3
    assert "Not listed: 2 more; -n NUMBER lists them." in done.err


def test_windows_are_shown_with_their_tokens_per_percent(inside: Swarm, paths: Paths) -> None:
    now = time.time()
    add_runs(paths)
    use(paths, "a", now - 3600, (3_000_000, 0, 100_000))
    use(paths, "b", now, account="work")
    week = LimitSample("default", "secondary", now - 60, 42.0, 10_080, now + 86_400)
    hours = LimitSample("default", "primary", now - 7200, 99.0, 300, now - 900)
    sample(paths, week, hours, LimitSample("work", "primary", now, 5.0))
    done = inside("usage", "--by", "cycle")
    lines = done.out.replace(" - ", " · ").splitlines()  # as the terminal has it
    hours_line, week_line, work_line = lines
    assert hours_line.startswith("default 5h      0% · has reset ")
    assert hours_line.endswith(" tokens since · seen 2h ago")
    assert week_line.startswith("default week   42% · resets ")
    assert week_line.endswith("3.1M tokens · 73.8k tokens per percent")
    assert work_line.startswith("work primary    5% · ")
    only = inside("usage", "--json", "--account", "default").json
    msgspec.convert(only, shapes.UsageJson, strict=True)
    assert [one["name"] for one in only["cycles"]] == ["primary", "secondary"]
    assert only["cycles"][1]["tokens"]["output"] == 100_000
    assert only["total"]["runs"] == 1
    text = inside("usage", "--by", "cycle", "--csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["key"], row["used_percent"], row["input"]) for row in rows] == [
        ("default primary", "0.0", "0"),
        ("default secondary", "42.0", "3000000"),
        ("work primary", "5.0", "0"),
    ]


@pytest.mark.parametrize("name", HOSTILE, ids=["formula", "control", "long"])
def test_hostile_names_are_only_text(inside: Swarm, paths: Paths, name: str) -> None:
    add_runs(paths)
    use(paths, "gone", time.time(), model=name, account=name, project=name)
    for by in ("model", "account", "project"):
        done = inside("usage", "--by", by)
        assert done.code == 0
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
        assert max(map(len, done.out.splitlines())) < 400
        text = inside("usage", "--by", by, "--csv").out
        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        assert row["key"][0] not in "=\x1b"
        assert row["input"] == "1000"
        assert inside("usage", "--by", by, "--json").json["rows"][0]["key"] == name


def test_a_simulated_run_counts_without_a_cost(simulated: Swarm, inside: Swarm) -> None:
    assert simulated("Work\nsim: usage input=1200 cached=300 output=80\nsim: say done").code == 0
    done = inside("usage", "--by", "account", "--json").json
    (row,) = done["rows"]
    assert (row["key"], row["tokens"]["input"], row["tokens"]["output"]) == ("simulated", 1200, 80)
    assert (row["runs"], row["cost_usd"], row["without_price"]["input"]) == (1, None, 0)
    assert row["seconds"] > 0
    assert "TIME" in inside("usage", "--by", "run").out


def test_a_default_range_begins_with_a_day_or_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        now = datetime(2026, 4, 1, 0, 30).timestamp()  # two days after the clock went forward
        assert first_day(UsageGroup.DAY, now) == datetime(2026, 3, 19).timestamp()
        assert first_day(UsageGroup.WEEK, now) == datetime(2026, 1, 12).timestamp()  # a Monday
        assert first_day(UsageGroup.MODEL, now) is None
    time.tzset()


def test_a_window_says_when_it_will_be_full() -> None:
    now = 1_767_268_800.0
    week = LimitCycle(
        "default", "secondary", 42.0, 10_080, now - 86_400, now + 86_400, now, full_at=now + 3600
    )
    first, second = ["".join(text for text, _ in line) for line in cycle_lines([week], now)]
    assert first.startswith("week   42% ")
    assert "full" in second
    (line,) = cycle_lines([replace(week, account="work", full_at=None, starts_at=None)], now)
    text = "".join(piece for piece, _ in line)
    assert text.startswith("work week   42% ")
    assert "0 tokens" not in text


def test_csv_is_written_as_rfc_4180_has_it(swarm: Swarm, paths: Paths) -> None:
    add_runs(paths)
    use(paths, "gone", 0.0, project='a,"b"')
    done = swarm("usage", "--by", "project", "--csv")
    assert done.code == 0
    head, row, rest = done.out.split("\r\n")
    assert head == ",".join(CSV_COLUMNS)
    assert row.startswith('project,"a,""b""",,')
    assert rest == ""
    assert swarm("usage", "--csv", "--json").code == 2


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_bars_are_drawn_where_there_is_room(
    here: Path, paths: Paths, today: float, columns: int
) -> None:
    add_runs(paths)
    use(paths, "a", today - 86_400, (1000, 0, 0))
    use(paths, "b", today, (500, 0, 0))
    shown = Terminal(here, ["usage"], {}, size=(columns, 24))
    try:
        assert shown.end() == 0
        heading, *rows = shown.text.splitlines()[:4]
        bars = [row.count("━") for row in rows]
        assert bars[0] > bars[1] >= bars[0] // 2 > 0
        assert bars[2] == 0
        assert ("REASONING" in heading) == (columns > 60)
    finally:
        shown.close()

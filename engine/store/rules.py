"""Approval rules in the database: kept over restarts, and ended with their run or batch."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from random import SystemRandom
from typing import Any

import msgspec

from engine.domain import approval_rules
from engine.domain.approval_rules import ApprovalRule, RuleScope, RuleUses
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import InputRequest, RequestPhase
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.rule_answers import RuleAnswers, RulesOf
from engine.store import newer
from engine.store.appending import Committed
from engine.store.ids import ALPHABET
from engine.store.shared_values import RULES_CHANGED
from engine.store.shrinking import WriteTransaction

MOST = 1000
ID_CHARACTERS = 6

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
_RULES = "SELECT id, made_at, data FROM approval_rules ORDER BY made_at, id"
_USES = "SELECT rule, data FROM approval_rule_uses"
_FINISHED = ", ".join(f"'{status}'" for status in sorted(FINISHED))
_encode = msgspec.json.Encoder().encode
_choice = SystemRandom().choice


class StoredRules:
    """The rules of a home that were added by the user, from all its processes."""

    def __init__(self, read: Read, write: WriteTransaction, clock: Callable[[], float]) -> None:
        self._read = read
        self._write = write
        self._clock = clock

    async def all(self) -> list[ApprovalRule]:
        """Return the rules without their uses, the oldest first."""
        return _rules(await self._read(_RULES, ()))

    async def uses(self) -> dict[str, RuleUses]:
        """Return the uses of rules, by their ids."""
        return _uses(await self._read(_USES, ()))

    async def add(self, rule: ApprovalRule) -> ApprovalRule:
        """Add a rule, and return it with its id; an equal one that is there is returned instead.

        Raises `UserError` where its run or batch has ended.
        """
        return await self._write(lambda db: _add(db, rule, self._clock()))

    async def remove(self, id: str) -> ApprovalRule:
        """Remove a rule; raises `UserError` RULE_NOT_FOUND."""
        return await self._write(lambda db: _remove(db, id))


def _rules(rows: Iterable[Sequence[Any]]) -> list[ApprovalRule]:
    return [
        replace(rule, id=id, made_at=made_at)
        for id, made_at, data in rows
        if (rule := newer.read(ApprovalRule, data)) is not None
    ]


def _uses(rows: Iterable[Sequence[Any]]) -> dict[str, RuleUses]:
    return {rule: newer.read(RuleUses, data) or RuleUses() for rule, data in rows}


def _add(db: sqlite3.Connection, rule: ApprovalRule, at: float) -> ApprovalRule:
    known = _rules(db.execute(_RULES))
    plain = replace(rule, id="", made_at=None, uses=0, used_at=None)
    for one in known:
        if replace(one, id="", made_at=None, uses=0, used_at=None) == plain:
            return one
    if len(known) >= MOST:
        raise user_error("INPUT_INVALID", f"There are {MOST} rules.", "Remove some of them.")
    _check_scope(db, rule)
    id = _new_id(db)
    db.execute(
        "INSERT INTO approval_rules (id, scope, scope_id, made_at, data) VALUES (?, ?, ?, ?, ?)",
        (id, rule.scope, rule.scope_id, at, _encode(plain).decode()),
    )
    _note_change(db)
    return replace(plain, id=id, made_at=at)


def _remove(db: sqlite3.Connection, id: str) -> ApprovalRule:
    found = approval_rules.find(_rules(db.execute(_RULES)), id)
    if isinstance(found, UserError):
        raise found
    uses = _uses(db.execute(f"{_USES} WHERE rule = ?", (id,))).get(id, RuleUses())
    _delete(db, [id])
    _note_change(db)
    return with_uses(found, uses)


def with_uses(rule: ApprovalRule, uses: RuleUses) -> ApprovalRule:
    """Return a rule with its uses."""
    return replace(rule, uses=uses.uses, used_at=uses.latest[-1] if uses.latest else None)


def _check_scope(db: sqlite3.Connection, rule: ApprovalRule) -> None:
    name = {RuleScope.RUN: "id", RuleScope.BATCH: "batch"}.get(rule.scope)
    if name is None:
        return
    query = f"SELECT 1 FROM runs WHERE {name} = ? AND status NOT IN ({_FINISHED}) LIMIT 1"
    if db.execute(query, (rule.scope_id,)).fetchone() is None:
        ended = f"The {rule.scope.value} of the rule has ended."
        raise user_error("INPUT_INVALID", ended, "Make a rule for its project.")


def _new_id(db: sqlite3.Connection) -> str:
    while True:
        id = "r" + "".join(_choice(ALPHABET) for _ in range(ID_CHARACTERS))
        if db.execute("SELECT 1 FROM approval_rules WHERE id = ?", (id,)).fetchone() is None:
            return id


def _note_change(db: sqlite3.Connection) -> None:
    """Announce to other processes that the rules have changed."""
    mark = "".join(_choice(ALPHABET) for _ in range(10))
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (RULES_CHANGED, mark))


def _delete(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    for table, name in (("approval_rules", "id"), ("approval_rule_uses", "rule")):
        db.executemany(f"DELETE FROM {table} WHERE {name} = ?", [(id,) for id in ids])


# In a transaction of the store


def answers(db: sqlite3.Connection, others: RulesOf, at: float) -> RuleAnswers:
    """Return what answers by the rules as they are now."""
    return RuleAnswers(_rules(db.execute(_RULES)), others, _uses(db.execute(_USES)), at)


def raised_in(done: Committed) -> list[str]:
    """Return the runs whose agents asked for something."""
    raised = RequestPhase.RAISED
    bodies = ((event.run, event.body) for event in done.events)
    asked = (run for run, it in bodies if isinstance(it, InputRequest) and it.phase is raised)
    return list(dict.fromkeys(asked))


def note_uses(db: sqlite3.Connection, used: dict[str, RuleUses]) -> None:
    """Store the uses of rules."""
    rows = [(rule, _encode(uses).decode()) for rule, uses in used.items()]
    db.executemany("INSERT OR REPLACE INTO approval_rule_uses VALUES (?, ?)", rows)


def end_with(db: sqlite3.Connection, runs: Iterable[Run]) -> None:
    """Remove the rules of runs that have ended, and of batches whose runs all have."""
    ended = [run for run in runs if run.status in FINISHED]
    if not ended or db.execute("SELECT 1 FROM approval_rules LIMIT 1").fetchone() is None:
        return
    names = json.dumps([run.id for run in ended])
    batches = json.dumps([run.spec.batch for run in ended if run.spec.batch])
    found = db.execute(
        "SELECT id FROM approval_rules WHERE"
        " (scope = 'run' AND scope_id IN (SELECT value FROM json_each(?)))"
        " OR (scope = 'batch' AND scope_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS"
        f" (SELECT 1 FROM runs WHERE batch = scope_id AND status NOT IN ({_FINISHED})))",
        (names, batches),
    )
    _delete(db, [row[0] for row in found.fetchall()])

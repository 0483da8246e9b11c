"""The usage of one thread, counted from its rollout: each model request once.

The rollout has it twice (docs/usage.md): a record of each request, written when it ends, and a
running total of the thread, written after the tools that the request called. Versions before the
records have only the total. The total begins with that of the thread it was forked from, and
begins again at 0 where a request did not fit the context window.

The agent's output has the running total, too, perhaps before the rollout, but no model. So it is
counted only where the rollout does not follow: else the model would depend on which came first.
"""

from __future__ import annotations

import msgspec

from engine.domain.model import Usage

_REQUEST = Usage(requests=1)


class ThreadCounter(msgspec.Struct, omit_defaults=True):
    """The usage of a thread, and the places up to which its sources were read."""

    counted: Usage = Usage()
    """The usage by the rollout."""
    total: Usage = Usage()
    """The running total, as the rollout had it last."""
    ahead: Usage = Usage()
    """The recorded requests that the running total does not hold yet."""
    floor: Usage = Usage()
    """The running total up to which all was counted before, until it is exceeded."""
    fallen: Usage = Usage()
    """The highest running total that the rollout had before it began again."""
    told: Usage | None = None
    """The running total of the agent's output that was counted ahead of the rollout."""
    told_requests: int = 0
    """Number of times that it grew."""
    reported: Usage | None = None
    """The running total of the agent's output that is ahead, and not counted."""
    reported_requests: int = 0
    """Number of times that it grew."""
    model: str = ""
    """The model of the present turn."""

    @property
    def usage(self) -> Usage:
        """Return the usage so far, with what was counted from the agent's output."""
        if self.told is None:
            return self.counted
        begin = self.floor if _tokens(self.floor) else self.total
        if _exceeds(begin, self.told):
            return self.counted
        unread = self.told - begin - self.ahead
        if not _tokens(unread):
            return self.counted
        return self.counted + unread + Usage(requests=self.told_requests)

    def add_request(self, used: Usage) -> None:
        """Count a request that the rollout records."""
        self.counted += used + _REQUEST
        self.ahead += used

    def reach(self, total: Usage) -> None:
        """Count what the rollout's running total has grown by, unless requests were recorded."""
        has_fallen = _exceeds(self.total, total)
        grown = total if has_fallen else total - self.total
        if has_fallen and _exceeds(self.total, self.fallen):
            self.fallen = self.total
        self.total = total
        if self.told and (has_fallen or not _exceeds(self.told, total)):
            self.told, self.told_requests = None, 0
        if self.reported and (has_fallen or not _exceeds(self.reported, total)):
            self.reported, self.reported_requests = None, 0
        if _tokens(self.floor):
            if not _exceeds(total, self.floor):
                self.ahead -= grown
                return
            grown, self.floor = total - self.floor, Usage()
        if not _tokens(grown):
            return
        self._reach_request()
        if _tokens(self.ahead):
            self.ahead -= grown
        else:
            self.counted += grown + _REQUEST

    def _reach_request(self) -> None:
        """Take note that a request of the agent's output was counted by the rollout."""
        if self.told:
            self.told_requests = max(1, self.told_requests - 1)
        elif self.reported:
            self.reported_requests = max(1, self.reported_requests - 1)

    def report(self, total: Usage) -> None:
        """Note the running total of the agent's output, which may be ahead of the rollout.

        It may be behind, too: a total of before the rollout's began again counts nothing.
        """
        known = self.reported or self.told or self.total
        if _exceeds(total, known) and _exceeds(total, self.fallen):
            self.reported, self.reported_requests = total, self.reported_requests + 1

    def count_reported(self) -> None:
        """Count what only the agent's output has: the rollout, which has its model, lacks it."""
        if self.reported:
            self.told = self.reported
            self.told_requests += self.reported_requests
            self.reported, self.reported_requests = None, 0


def _tokens(usage: Usage) -> int:
    return usage.input + usage.output


def _exceeds(one: Usage, other: Usage) -> bool:
    """Return whether a total of tokens is larger than another."""
    return one.input > other.input or one.output > other.output

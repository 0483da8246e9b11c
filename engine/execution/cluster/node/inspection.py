"""Answers to questions about the node itself."""

from __future__ import annotations

import asyncio

from engine.execution.cluster.messages import Hello, HelloAnswer
from engine.execution.cluster.node.home import Handlers, NodeHome
from engine.execution.local.process_marks import MARK


async def hello(home: NodeHome, message: Hello) -> HelloAnswer:
    """Return the home of the sender; it exists by now."""
    admission = home.service.admission
    runs = await asyncio.to_thread(admission.runs)
    free_slots = max(0, admission.slots - len(runs))
    # The real path: the marks of processes have it, too.
    own = tuple(one.run for one in runs if one.home == home.id)
    return HelloAnswer(str(home.paths.home.resolve()), admission.slots, free_slots, MARK, own)


HANDLERS: Handlers = {Hello: hello}

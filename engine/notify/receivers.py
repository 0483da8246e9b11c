"""The receivers that the settings name."""

from __future__ import annotations

from engine.config import Config
from engine.domain.messages import Wish
from engine.notify.hook import Hook
from engine.notify.people import People
from engine.notify.receiver import Receiver


def receivers(config: Config) -> list[Receiver]:
    """Give all of them, the webhooks first; an Apprise address is named by its place."""
    hooks: list[Receiver] = [Hook(hook) for hook in config.webhooks]
    people: list[Receiver] = [
        People(f"apprise:{place}", address, config.notify.events)
        for place, address in enumerate(config.notify.apprise, start=1)
    ]
    return hooks + people


def wishes(config: Config) -> list[Wish]:
    """Give what each of them wants to be told."""
    return [
        Wish(receiver.name, frozenset(receiver.topics), receiver.is_for_people)
        for receiver in receivers(config)
    ]

"""The receivers that the settings name."""

from __future__ import annotations

from engine.config.settings import Config
from engine.domain.messages import Subscription
from engine.notifications.apprise import AppriseReceiver
from engine.notifications.receiver import Receiver
from engine.notifications.webhook import WebhookReceiver


def receivers(config: Config) -> list[Receiver]:
    """Return all of them, the webhooks first; an Apprise address is named by its place."""
    hooks: list[Receiver] = [WebhookReceiver(hook) for hook in config.webhooks]
    people: list[Receiver] = [
        AppriseReceiver(f"apprise:{place}", address, config.notify.events)
        for place, address in enumerate(config.notify.apprise, start=1)
    ]
    return hooks + people


def wishes(config: Config) -> list[Subscription]:
    """Return the subscription of each of them."""
    return [
        Subscription(receiver.name, frozenset(receiver.topics), receiver.is_for_people)
        for receiver in receivers(config)
    ]

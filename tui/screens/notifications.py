"""Notifications: the receivers, their deliveries and answers, and the messages shown here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode

from engine.domain.errors import UserError, user_error
from engine.domain.events import iso
from engine.domain.messages import Delivery, DeliveryResult, DeliveryState
from tui import commands, formatting
from tui.screens.live import LiveScreen
from tui.widgets.base.line_view import LineView
from tui.widgets.base.property_list import Property, PropertyList
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.delivery_list import DeliveryList, DeliverySelected, ReceiverList
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import ToastRecord, app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

MOST = 500
"""Deliveries that are shown."""
NOBODY = (
    "No receivers of notifications.\n\nName webhooks or Apprise addresses in the settings: "
    "docs/webhooks.md describes them, `swarm-tui config path` prints the file."
)


class NotificationsScreen(LiveScreen):
    """Receivers, the deliveries to the chosen one, and all about the chosen delivery."""

    DEFAULT_CSS = """
    NotificationsScreen {
        background: $background;
        ReceiverList { height: 7; }
        #receivers-and-deliveries { height: 1fr; layout: horizontal; }
        DeliveryList { width: 3fr; height: 1fr; }
        #delivery { width: 2fr; height: 1fr; }
        #history { display: none; height: 1fr; }
        &.-narrow {
            ReceiverList { height: 5; }
            #receivers-and-deliveries { layout: vertical; }
            DeliveryList { width: 1fr; }
            #delivery { width: 1fr; height: 8; }
        }
        &.-history { #receivers-and-deliveries { display: none; } #history { display: block; } }
        &.-tiny, &.-short {
            TopBar, ReceiverList, #receivers-and-deliveries, #history, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (120, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("notify")

    receivers = getters.query_one(ReceiverList)
    deliveries = getters.query_one(DeliveryList)
    facts = getters.query_one("#delivery", PropertyList)
    history = getters.query_one("#history", PropertyList)

    def __init__(
        self,
        engine: EnginePort,
        clock: Callable[[], float] = time.time,
        toasts: Sequence[ToastRecord] = (),
    ) -> None:
        super().__init__(engine, clock)
        self._toasts = toasts
        self._parked_only = False

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield ReceiverList(title="Receivers", empty_text=NOBODY)
        with Container(id="receivers-and-deliveries"):
            yield DeliveryList(title="Deliveries", empty_text="No deliveries yet.")
            yield PropertyList(title="Delivery", id="delivery")
        yield PropertyList(title="Messages", id="history")
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Look again."""
        super().on_screen_resume()
        self.receivers.focus()
        self.look()

    @property
    def rests(self) -> bool:
        """Return True: no event reports changes of this screen."""
        return not self.is_current and super().rests

    def tick(self) -> None:
        """Look what has become of the deliveries, while they are looked at."""
        super().tick()
        if self.is_current:
            self.look()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "notify" else None

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Show the receivers and their deliveries as they are now."""
        found = await attempt(app_of(self), self.engine.notifications.receivers())
        if found is not None:
            self.receivers.show(found)
        await self._look_at_deliveries()
        self.history.show(
            [Property(formatting.time_of_day(it.at), it.text, it.tone) for it in self._toasts]
        )

    @on(DeliverySelected)
    async def _chosen(self, _: DeliverySelected) -> None:
        self._show_facts()
        await self._look_at_deliveries()

    async def _look_at_deliveries(self) -> None:
        """Show those of the chosen receiver."""
        receiver = self.receivers.chosen
        if receiver is None:
            self.deliveries.show([])
            return
        states = [DeliveryState.PARKED] if self._parked_only else []
        found = self.engine.notifications.deliveries(
            receiver=receiver.name, states=states, limit=MOST
        )
        self.deliveries.show(await attempt(app_of(self), found) or [])
        what = "parked" if self._parked_only else "Deliveries"
        self.deliveries.set_title(f"{what} · {receiver.name}")
        self._show_facts()
        self.refresh_bindings()

    def _show_facts(self) -> None:
        chosen = self.deliveries.chosen
        self.facts.show([] if chosen is None else _facts(chosen))

    # What can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what there is nothing for."""
        del parameters
        if action in ("test", "again") and self.receivers.chosen is None:
            return None
        return True

    def why_not(self, command_id: str) -> UserError | None:
        """Return why there is no receiver."""
        if command_id not in ("notify.test", "notify.again"):
            return None
        return user_error(
            "WEBHOOK_NOT_FOUND", "There are no receivers in the settings.", "Name one there."
        )

    @work(group="test")
    async def action_test(self) -> None:
        """Send the chosen receiver a message about nothing."""
        receiver = self.receivers.chosen
        if receiver is None:
            return
        answer = await attempt(app_of(self), self.engine.notifications.test(receiver.name))
        if answer:
            tell(app_of(self), f"{receiver.name}: {answer.text}", stays=True)

    @work(group="again")
    async def action_again(self) -> None:
        """Send the chosen delivery again, or of a chosen receiver all that was parked."""
        receiver, delivery = self.receivers.chosen, self.deliveries.chosen
        if receiver is None:
            return
        message = delivery.message if delivery and self.deliveries.has_focus else None
        asked = self.engine.notifications.retry(receiver.name, message)
        count = await attempt(app_of(self), asked)
        if count is not None:
            tell(
                app_of(self),
                f"{count} {'delivery is' if count == 1 else 'deliveries are'} tried again",
            )
            self.look()

    def action_parked(self) -> None:
        """Show only what was given up, or all."""
        self._parked_only = not self._parked_only
        self.look()

    def action_history(self) -> None:
        """Show the messages of the dashboard instead of the deliveries, and back."""
        self.toggle_class("-history")
        (self.history if self.has_class("-history") else self.deliveries).focus()
        self.look()

    def action_pane(self) -> None:
        """Go to the next pane."""
        shown: list[LineView] = [self.deliveries, self.facts]
        seen = [self.receivers, *([self.history] if self.has_class("-history") else shown)]
        here = next((place for place, pane in enumerate(seen) if pane.has_focus), -1)
        seen[(here + 1) % len(seen)].focus()

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")


def _facts(one: Delivery) -> list[Property]:
    tone = {DeliveryState.DELIVERED: "good", DeliveryState.PARKED: "bad"}.get(one.state, "warn")
    times = f"{one.tries} time{'' if one.tries == 1 else 's'}"
    facts = [
        Property("state", one.state.value, tone),
        Property("answer", _answer(one.answer)),
        Property(
            "tried",
            f"{times}, last {iso(one.tried_at)}" if one.tried_at and one.tries else "not yet",
        ),
        Property(
            "next try", iso(one.due) if one.state is DeliveryState.WAITING and one.due else ""
        ),
        Property("event", f"{one.topic} at {iso(one.at)}"),
        Property("about", one.subject),
        Property("id", one.message),
    ]
    return [fact for fact in facts if fact.text]


def _answer(answer: DeliveryResult | None) -> str:
    if answer is None:
        return ""
    return f"{answer.text} ({answer.took_s:.2f} s)" if answer.took_s else answer.text

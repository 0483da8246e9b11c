"""`swarm-tui webhooks`: receivers of notifications, and the state of the deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tui.cli.support import argument_completion, output
from tui.cli.support.options import (
    ChoiceParam,
    NumberParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.receivers import (
    delivery_json,
    find_deliveries,
    receiver_json,
    send_again,
)

if TYPE_CHECKING:
    from engine.domain.messages import Delivery, DeliveryResult
    from engine.engine import ReceiverStatus
    from engine.ports.engine import EnginePort

WHAT = ("list", "test", "deliveries", "retry")
STATES = ("waiting", "delivered", "parked")
MOST = 10_000
TONES = {
    "ok": "green",
    "delivered": "green",
    "failing": "yellow",
    "waiting": "yellow",
    "parked": "red",
}


@click.command(
    epilog=examples(
        "webhooks",
        "webhooks test ci",
        "webhooks deliveries --state parked",
        "webhooks retry ci",
    )
)
@click.argument("what", type=ChoiceParam(WHAT), default="list", metavar="[WHAT]")
@click.argument(
    "names",
    nargs=-1,
    type=TextParam(),
    metavar="[NAME]...",
    shell_complete=argument_completion.receivers,
)
@click.option(
    "--state", type=ChoiceParam(STATES), metavar="STATE", help="Show only this state (deliveries)."
)
@click.option(
    "--limit", type=NumberParam(1, MOST), default=50, metavar="N", help="List at most N deliveries."
)
@click.option("--all", "everything", is_flag=True, help="Send all parked messages again (retry).")
@json_option("Print JSON: an array of receivers, tests or deliveries; with retry, how many.")
@everywhere()
def webhooks(what: str, names: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """List receivers of notifications, test them, list deliveries, or send parked ones again.

    NAME is a webhook of the settings, or apprise:1 for the first Apprise address; for retry also
    the id of a message. Failed deliveries are sent again for a day, then parked.
    """
    from tui.cli.support import session

    if what == "list" and names:
        raise click.UsageError("list takes no name.")
    if what == "retry" and bool(names) == asked["everything"]:
        raise click.UsageError("retry takes receivers and messages, or --all.")
    return session.start(_webhooks(what, names, asked, as_json=as_json))


async def _webhooks(
    what: str, names: Sequence[str], asked: dict[str, Any], *, as_json: bool
) -> None:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if what == "test":
            await _test(engine, names, as_json=as_json)
        elif what == "deliveries":
            await _deliveries(engine, names, asked, as_json=as_json)
        elif what == "retry":
            await _retry(engine, names, as_json=as_json)
        else:
            found = await engine.notifications.receivers()
            if as_json:
                output.say_json([receiver_json(one) for one in found])
            else:
                _tell(found)


async def _test(engine: EnginePort, names: Sequence[str], *, as_json: bool) -> None:
    """Send a test to each; the first failure is raised when all were tried."""
    from engine.domain.errors import UserError

    names = names or [one.name for one in await engine.notifications.receivers()]
    answers: dict[str, DeliveryResult] = {}
    failures: list[UserError] = []
    for name in names:
        try:
            answers[name] = await engine.notifications.test(name)
        except UserError as error:
            failures.append(error)
    if not as_json:
        for name, answer in answers.items():
            output.say(f"{name}: {answer.text} ({answer.took_s:.2f} s)")
    if failures:
        raise failures[0]
    if as_json:
        told = [{"receiver": name, "answer": asdict(one)} for name, one in answers.items()]
        output.say_json(told)
    elif not names:
        output.say("There are no receivers in the settings.")


async def _deliveries(
    engine: EnginePort, names: Sequence[str], asked: dict[str, Any], *, as_json: bool
) -> None:
    found = await find_deliveries(engine, names, asked["state"], asked["limit"])
    if as_json:
        output.say_json([delivery_json(one) for one in found])
    else:
        _tell_deliveries(found)


async def _retry(engine: EnginePort, names: Sequence[str], *, as_json: bool) -> None:
    from tui.cli.support import session

    count = await send_again(engine, names)
    await session.see_to_what_is_left(engine)
    if as_json:
        output.say_json({"again": count})
    else:
        output.say(f"{count} {'delivery is' if count == 1 else 'deliveries are'} tried again")


def _tell(found: Sequence[ReceiverStatus]) -> None:
    if not found:
        output.say("There are no receivers in the settings.")
        return
    width = max(len(one.name) for one in found)
    lines: list[list[tuple[str, str | None]]] = []
    for one in found:
        counts = {"waiting": one.waiting, "parked": one.parked}
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        unsigned = "" if one.is_signed or one.is_for_people else "  (not signed)"
        lines.append([
            (f"{one.name:<{width}}  ", None),
            (f"{one.condition.value:<8}", TONES[one.condition.value]),
            (f"{one.address}{unsigned}  {told}", None),
        ])  # fmt: skip
        lines.append([(f"{'':<{width}}  {', '.join(one.topics)}", None)])
    output.say_styled(lines)


def _tell_deliveries(found: Sequence[Delivery]) -> None:
    from tui.formatting import time_of_day

    lines: list[list[tuple[str, str | None]]] = []
    for one in found:
        tries = "" if one.tries == 1 else f" ({one.tries} tries)"
        said = f"{one.answer.text}{tries}" if one.answer else ""
        lines.append([
            (f"{time_of_day(one.at)}  {one.receiver:<12}  {one.topic:<14}  ", None),
            (f"{one.state.value:<9}", TONES[one.state.value]),
            (f"  {one.message}  {said}", None),
        ])  # fmt: skip
    output.say_styled(lines)

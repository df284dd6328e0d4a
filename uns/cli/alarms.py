"""`uns alarms list | stats | ack | shelve | service`: what stands, how the alarm system does, and what people say of alarms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit, group
from uns.cli.options import FilterArgument, JsonOption, PlantOption, UntilOption, from_option, which_plant

if TYPE_CHECKING:
    from schemas.records import Alert, Fact
    from topology.namespace.filters import Filter

alarms = group(
    "Alarms after ISA-18.2: what stands, how the alarm system does, what people say of them.",
    dict.fromkeys(("list", "stats", "ack", "shelve", "service"), "alarms"),
)
app.add_typer(alarms, name="alarms")

PathArgument = Annotated[str, typer.Argument(help="line or machine, e.g. acme/dallas/packaging/line-1/filler")]
AlarmArgument = Annotated[
    str, typer.Argument(metavar="ALARM", help="name of an alarm, a rule, a kind or a group; '*': all of the place")
]
ByOption = Annotated[str, typer.Option(help="who says so")]
CommentOption = Annotated[str | None, typer.Option(help="why, in your words")]
ForceOption = Annotated[bool, typer.Option("--force", help="publish without asking the plant model")]
BEFORE_US = 30 * 86_400_000_000
"""How far before the stretch an alarm may have come that is stale in it."""


@alarms.command("list")
def list_(wanted: FilterArgument = "#", plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Alarms that stand, and those that nobody has seen, the most urgent first; hidden ones last."""
    from schemas.text import to_plain
    from topology.namespace.path import Path as Place
    from uns.cli.times import shown, zones_of
    from uns.cli.words import filter_of
    from uns.reports.alarms import listing, open_alarms

    standing = open_alarms(_alerts(filter_of(wanted)))
    if as_json:
        emit([to_plain(alert) for alert in standing])
        return
    zones = zones_of(which_plant(plant))
    typer.echo(listing(standing, lambda path, at: shown(at, zones.at(Place.parse(path)))))


@alarms.command()
def stats(
    wanted: FilterArgument,
    begin: Annotated[str, from_option("what is counted")] = "1d",
    until: UntilOption = "now",
    operators: Annotated[float, typer.Option(min=0.01, help="how many people are told of them")] = 1.0,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """How the alarm system does: rate, floods, chattering and stale alarms, the ten that come most, priorities."""
    from zoneinfo import ZoneInfo

    from processors.alarms.performance import performance
    from uns.cli.times import Reader, shown, zones_of
    from uns.cli.words import filter_of
    from uns.reports.alarms import annunciations, document, page

    places, zones = filter_of(wanted), zones_of(which_plant(plant))
    start, end = Reader(_now(), zones, [places]).between(begin, until)
    told = annunciations(_alerts(places, max(0, start - BEFORE_US)))
    start = start or min((of.at for of in told), default=end - 1)
    figures = performance(told, start, min(end, _now()) if end > start else end, operators)
    names = zones.names([places])
    zone = ZoneInfo(names[0] if len(names) == 1 else "UTC")
    if as_json:
        emit(document(figures))
    else:
        typer.echo(page(figures, lambda at: shown(at, zone)))


@alarms.command()
def ack(
    alert: Annotated[str, typer.Argument(help="the alert's id, as `uns alarms list` shows it")],
    by: ByOption,
    comment: CommentOption = None,
    reset: Annotated[bool, typer.Option("--reset", help="end a latched alarm whose condition is gone, too")] = False,
    plant: PlantOption = None,
    force: ForceOption = False,
) -> None:
    """Acknowledge an alarm."""
    from schemas.records import Acknowledge
    from uns.cli.facts import natural_id_of

    natural = natural_id_of(alert)
    action = "reset" if reset else "acknowledge"
    fact = Acknowledge(alert=natural, at=_now(), by=by, comment=comment, action=action)
    _tell(natural.partition("#")[0], fact, plant, force)
    typer.echo(f"{'reset' if reset else 'acknowledged'} {natural}")


@alarms.command()
def shelve(
    path: PathArgument,
    alarm: AlarmArgument,
    by: ByOption,
    for_: Annotated[str, typer.Option("--for", help="for how long, e.g. 30m or 8h; at most 7d")] = "1h",
    back: Annotated[str | None, typer.Option("--back", help="end this shelf now: its id")] = None,
    comment: CommentOption = None,
    plant: PlantOption = None,
    force: ForceOption = False,
) -> None:
    """Put an alarm aside for a time. It comes back by itself; `--back ID` ends the shelf earlier."""
    from schemas.records import Shelve
    from uns.cli.times import span_s

    now = _now()
    name, start = (_name(alarm, now), now) if back is None else (back, _begin(back, alarm))
    end = now + round(span_s("--for", for_) * 1_000_000) if back is None else max(now, start)
    _tell(path, Shelve(id=name, alarm=alarm, started_at=start, ended_at=end, by=by, comment=comment), plant, force)
    typer.echo(f"{alarm} of {path} is back" if back is not None else f"shelved {alarm} of {path} for {for_}; id {name}")


@alarms.command()
def service(
    path: PathArgument,
    alarm: AlarmArgument,
    by: ByOption,
    back: Annotated[str | None, typer.Option("--back", help="back in service: the id that taking it out gave")] = None,
    comment: CommentOption = None,
    plant: PlantOption = None,
    force: ForceOption = False,
) -> None:
    """Take an alarm out of service until it is put back with `--back ID`."""
    from schemas.records import OutOfService

    now = _now()
    name, start = (_name(alarm, now), now) if back is None else (back, _begin(back, alarm))
    end = None if back is None else max(now, start)
    fact = OutOfService(id=name, alarm=alarm, started_at=start, ended_at=end, by=by, comment=comment)
    _tell(path, fact, plant, force)
    out = f"{alarm} of {path} is out of service; `--back {name}` puts it back"
    typer.echo(out if back is None else f"{alarm} of {path} is in service")


def _name(alarm: str, at: int) -> str:
    """The id of a fact about an alarm: says when it begins, so that its end can be told by the id alone."""
    from processors.output.identity import instant

    return f"{alarm}@{instant(at)}"


def _begin(name: str, alarm: str) -> int:
    """When a fact begins, from its id. Raises `UserError`."""
    from schemas.text import micros

    of, _, at = name.rpartition("@")
    try:
        begin = micros(at)
    except ValueError:
        begin = -1
    if of != alarm or begin < 0:
        raise UserError(f"--back {name}: that is no id of {alarm!r}; the command that began it has printed one")
    return begin


def _alerts(wanted: "Filter", since: int = 0) -> "list[Alert]":
    """The newest revision of each alert of the places, of those that Kafka took at or after a time (µs; 0: all)."""
    from topology.namespace.classes import MessageClass
    from uns.cli.failures import failures_told
    from uns.client.connection import codec, connection
    from uns.client.subscribe import NothingMatches, Subscription
    from uns.reports.alarms import newest

    settings = connection()
    with failures_told(NothingMatches):
        begin = "beginning" if not since else since // 1000
        subscription = Subscription(settings, codec(settings), [wanted], [MessageClass.ALERT], begin, False)
        with subscription as messages:
            return newest(message.record for message in messages)


def _tell(path: str, fact: "Fact", plant: Path | None, force: bool) -> None:
    from uns.cli.facts import PUBLISHER, check
    from uns.cli.failures import failures_told
    from uns.cli.words import path_of
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished, publish

    place = path_of(path)
    if not force:
        check(plant, place, fact)
    settings = connection()
    with failures_told(NotPublished):
        publish(settings, codec(settings), place, fact, PUBLISHER)


def _now() -> int:
    from uns.runtime import clock
    from uns.runtime.running import effective_settings

    return clock.from_spec(effective_settings().clock)()

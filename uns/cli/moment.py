"""`uns at`, `uns diff`: the namespace at a time, and what changed between two."""

from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import TIMES, FiltersArgument, JsonLinesOption, PlantOption, which_plant

if TYPE_CHECKING:
    from pathlib import Path

    from topology.namespace.filters import Filter
    from uns.cli.times import Reader
    from uns.client.subscribe import Begin
    from uns.history.moment import Moment, Place

KnownOption = Annotated[
    str | None,
    typer.Option(
        "--known-at", help=f"what was known at that time, by Kafka's clock: {TIMES}; none: all that is known now"
    ),
]
TagsOption = Annotated[bool, typer.Option("--tags", help="what each tag said last, too")]
BackOption = Annotated[
    str, typer.Option("--back", help="how long before the time a tag's value is looked for, e.g. 1h")
]


@app.command("at")
def at_(
    when: Annotated[str, typer.Argument(metavar="TIME", help=f"by the plant's clock: {TIMES}")],
    filters: FiltersArgument,
    known_at: KnownOption = None,
    tags: TagsOption = False,
    back: BackOption = "1h",
    plant: PlantOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Show the namespace at a time: state, stop, OEE of each machine, corrections that came later included.

    For example: uns at 2026-11-23T06:00:00Z 'acme/dallas/#' --tags
    """
    from uns.cli.tail import word
    from uns.cli.times import shown, zones_of
    from uns.cli.words import filter_of, path_of
    from uns.history.moment import Moment, short, told

    folder = which_plant(plant)
    wanted = [filter_of(text) for text in filters]
    reader = _reader(folder, wanted)
    moment = Moment(reader.instant("TIME", when), _known(known_at, folder, wanted))
    _read([moment], wanted, tags, back, reader.now_us)
    found, zones = moment.paths(), zones_of(folder)
    if not found:
        raise UserError("nothing is known of that time here; `uns tree` shows which paths there are")
    for path, seen in found.items():
        if as_json:
            emit(told(path, seen, moment.at))
            continue
        zone = zones.at(path_of(path))
        typer.echo(f"{path}  at {shown(moment.at, zone)}")
        for kind, said in sorted(seen.said.items()):
            since = shown(said.record.started_at, zone)
            typer.echo(
                f"  {kind:<16} {short(kind, said.record):<14} since {since}  {said.record.status}  {_where(said.place)}"
            )
        for tag, value in seen.values.items():
            age_s = (moment.at - value.sample.at) / 1e6
            bad = "" if value.sample.quality == 0 else f"  quality {value.sample.quality:#x}"
            typer.echo(f"  {tag:<16} {word(value.sample.value):<14} {age_s:.1f} s old{bad}  {_where(value.place)}")


@app.command("diff")
def diff(
    first: Annotated[str, typer.Argument(metavar="TIME1", help=f"by the plant's clock: {TIMES}")],
    second: Annotated[str, typer.Argument(metavar="TIME2", help="likewise")],
    filters: FiltersArgument,
    tags: TagsOption = False,
    back: BackOption = "1h",
    plant: PlantOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Show what differs between two times: states, stops, OEE, with --tags values. Exit code 1 where something does."""
    from uns.cli.tail import word
    from uns.cli.words import filter_of
    from uns.history.moment import Moment, changes

    folder = which_plant(plant)
    wanted = [filter_of(text) for text in filters]
    reader = _reader(folder, wanted)
    moments = [Moment(reader.instant(name, text)) for name, text in (("TIME1", first), ("TIME2", second))]
    _read(moments, wanted, tags, back, reader.now_us)
    found = list(changes(*(moment.paths() for moment in moments)))
    for change in found:
        if as_json:
            emit(change._asdict())
        else:
            typer.echo(f"{change.path}  {change.what:<16} {word(change.before)} → {word(change.after)}")
    if found:
        raise typer.Exit(1)


def _reader(folder: "Path", wanted: "list[Filter]") -> "Reader":
    from uns.cli.times import Reader, zones_of
    from uns.client.connection import connection
    from uns.runtime import clock

    return Reader(clock.from_spec(connection().clock)(), zones_of(folder), wanted)


def _known(text: str | None, folder: "Path", wanted: "list[Filter]") -> int | None:
    from uns.cli.times import Reader, zones_of
    from uns.runtime import clock

    return None if text is None else Reader(clock.system(), zones_of(folder), wanted).instant("--known-at", text)


def _read(moments: "list[Moment]", wanted: "list[Filter]", tags: bool, back: str, now_us: int) -> None:
    """Raises `UserError`, also where retention has taken what the earliest time rests on."""
    from schemas.text import iso
    from topology.namespace.classes import MessageClass
    from uns.cli.failures import failures_told
    from uns.cli.tail import subscribe
    from uns.cli.times import span_s
    from uns.client.connection import connection
    from uns.client.namespace import INGEST_MARGIN_US
    from uns.history.kept import kept_from

    earliest = min(moment.at for moment in moments)
    if max(moment.at for moment in moments) > now_us:
        raise UserError("that time is still to come")
    scaled = connection().clock is not None
    begin_us = earliest - round(span_s("--back", back) * 1e6) - INGEST_MARGIN_US
    begins: dict[MessageClass, Begin] = dict.fromkeys(
        (MessageClass.STATE, MessageClass.DOWNTIME, MessageClass.OEE), "beginning"
    )
    if tags:
        begins[MessageClass.RAW] = "beginning" if scaled else max(0, begin_us // 1000)
    for message_class, begin in begins.items():
        with failures_told(), subscribe(wanted, [message_class], begin, follow=False) as messages:
            kept = None if scaled else kept_from(connection(), messages.topics)
            if kept is not None and kept > earliest:
                raise UserError(f"{message_class}: Kafka has all only from {iso(kept)} on; ask for a later time")
            for item in messages:
                for moment in moments:
                    moment.apply(item)


def _where(place: "Place") -> str:
    return f"[{place.topic}/{place.partition} @ {place.offset}]"

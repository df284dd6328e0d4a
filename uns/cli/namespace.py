"""`uns tree`, `uns get`: the newest of the namespace, through Kafka and the registry only."""

from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import JsonLinesOption, JsonOption, PlantOption, which_plant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from schemas.records import Current, Kpi
    from topology.namespace.path import Path as Place

KPI_BACK_DAYS = 2
"""How old the newest KPIs of a line, area, site or enterprise may be."""


@app.command()
def tree(
    filters: Annotated[list[str] | None, typer.Argument(help="MQTT filters over paths; everything by default")] = None,
    tags: Annotated[bool, typer.Option("--tags", help="the newest value of each tag, too")] = False,
    plant: PlantOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Show the namespace with the latest snapshot of each path, times by the clock of its place."""
    from schemas.records import Current
    from schemas.text import to_plain
    from topology.namespace.classes import MessageClass
    from uns.cli.tail import subscribe, word
    from uns.cli.times import shown, zones_of
    from uns.cli.words import filter_of
    from uns.model.plant import units

    zones = zones_of(which_plant(plant))
    newest: dict[Place, Current] = {}
    wanted = [filter_of(text) for text in filters or ["#"]]
    with subscribe(wanted, [MessageClass.CURRENT], "beginning", follow=False) as messages:
        for message in messages:
            if isinstance(message.record, Current):
                newest[message.path] = message.record
            elif message.removed:
                newest.pop(message.path, None)
    if as_json:
        for path in sorted(newest, key=str):
            emit(to_plain(newest[path]))
        return
    unit_of = units(which_plant(plant)) if tags else {}
    above: tuple[str, ...] = ()
    for path in sorted(newest, key=str):
        segments = path.segments
        common = 0
        while common < min(len(above), len(segments) - 1) and above[common] == segments[common]:
            common += 1
        for depth in range(common, len(segments) - 1):
            typer.echo("  " * depth + segments[depth])
        above = segments[:-1]
        current, zone = newest[path], zones.at(path)
        oee = "–" if current.oee is None else f"{100 * current.oee:.1f} %"
        typer.echo(
            "  " * (len(segments) - 1)
            + f"{segments[-1]:<14} {current.state:<11} OEE {oee:<8} good {current.good:<6} {shown(current.at, zone)}"
            + coverage_of(current)
        )
        if tags:
            for tag in current.tags:
                at = shown(tag.at, zone, "milliseconds")
                value = f"{word(tag.value)} {unit_of.get((str(path), tag.tag), '')}".rstrip()
                typer.echo("  " * len(segments) + f"{tag.tag:<16} {value}  {at}")


@app.command()
def get(
    path: Annotated[str, typer.Argument(help="one path, of any level, e.g. acme/dallas/packaging/line-1/filler")],
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the latest snapshot of a cell; of a line, area, site or enterprise the newest KPIs of each kind of window."""
    from topology.namespace.path import Level
    from uns.cli.times import zones_of
    from uns.cli.words import path_of

    place = path_of(path)
    zone = zones_of(which_plant(plant)).at(place)
    if place.level < Level.CELL:
        _get_kpis(place, zone, as_json)
    else:
        _get_snapshot(place, zone, as_json)


def _get_snapshot(place: "Place", zone: "ZoneInfo", as_json: bool) -> None:
    from schemas.records import Current
    from schemas.text import to_plain
    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import Filter
    from uns.cli.tail import subscribe, word
    from uns.cli.times import shown

    newest: Current | None = None
    with subscribe([Filter(place.segments)], [MessageClass.CURRENT], "beginning", follow=False) as messages:
        for message in messages:
            if isinstance(message.record, Current):
                newest = message.record
            elif message.removed:
                newest = None
    if newest is None:
        raise UserError(f"{place}: no snapshot; `uns tree` shows the paths that have one")
    if as_json:
        emit(to_plain(newest))
        return
    for name, value in to_plain(newest, lambda at: shown(at, zone, "milliseconds")).items():
        if name == "tags":
            for tag in value:
                typer.echo(f"  {tag['tag']:<16} {word(tag['value'])}  ({tag['at']})")
        elif name not in ("type", "inputs") and value is not None:
            typer.echo(f"{name:<14} {word(value)}")


def coverage_of(record: "Current | Kpi") -> str:
    """What must be said beside a record's ratios; empty where all of the time was seen."""
    if record.why_null is not None:
        return f"  {record.why_null}"
    return "" if record.coverage is None or record.coverage >= 1 else f"  {100 * record.coverage:.1f} % of it seen"


def _get_kpis(place: "Place", zone: "ZoneInfo", as_json: bool) -> None:
    from schemas.records import Kpi
    from schemas.text import to_plain
    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import Filter
    from uns.cli.tail import subscribe
    from uns.cli.times import shown
    from uns.runtime import clock

    newest: dict[str, Kpi] = {}
    begin_ms = clock.system() // 1000 - KPI_BACK_DAYS * 86_400_000
    with subscribe([Filter(place.segments)], [MessageClass.KPI], begin_ms, follow=False) as messages:
        for message in messages:
            record = message.record
            if isinstance(record, Kpi):
                known = newest.get(record.window)
                if known is None or (record.started_at, record.revision) >= (known.started_at, known.revision):
                    newest[record.window] = record
    if not newest:
        raise UserError(
            f"{place}: no KPIs of the last {KPI_BACK_DAYS} days; `uns run rollups` makes them of the cells'"
        )
    for record in newest.values():
        if as_json:
            emit(to_plain(record))
            continue
        end = "now" if record.ended_at is None else shown(record.ended_at, zone, "minutes")
        begin = shown(record.started_at, zone, "minutes")
        coverage = coverage_of(record)
        typer.echo(f"{record.window} {record.window_name or ''}  {begin} to {end}  {record.status}{coverage}")
        for name, value in record.values.items():
            if value is not None:
                typer.echo(f"  {name:<30} {value:.4g}")

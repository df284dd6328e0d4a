"""`uns tail`, `uns tree`, `uns get`: looking at the namespace from outside, through Kafka and the registry only."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit

if TYPE_CHECKING:
    from uns.client.subscribe import Received, Subscription

FilterArgument = Annotated[list[str], typer.Argument(help="MQTT filters over paths, e.g. 'acme/+/packaging/#'")]
ClassOption = Annotated[
    list[str] | None, typer.Option("--class", "-c", help="message class; again for more; all derived by default")
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document a line")]


def _subscribe(filters: list[str], classes: list[str], begin: str, follow: bool) -> "Subscription":
    from datetime import UTC, datetime

    from confluent_kafka import KafkaException

    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import Filter
    from uns.client.connection import codec, connection
    from uns.client.subscribe import NothingMatches, Subscription, begin_at

    try:
        wanted = [MessageClass(name) for name in classes]
        places = [Filter.parse(text) for text in filters]
        start = begin_at(begin, datetime.now(UTC))
    except ValueError as error:
        hint = f"; there are {', '.join(MessageClass)}" if "MessageClass" in str(error) else ""
        raise UserError(f"{error}{hint}") from error
    settings = connection()
    try:
        return Subscription(settings, codec(settings), places, wanted, start, follow)
    except NothingMatches as error:
        raise UserError(str(error)) from error
    except KafkaException as error:
        raise UserError(
            f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}; `uns doctor` looks closer"
        ) from error


@app.command()
def tail(
    filters: FilterArgument,
    classes: ClassOption = None,
    begin: Annotated[
        str, typer.Option("--from", help="now, beginning, an ISO time, or a span back such as 15m")
    ] = "now",
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="stop after so many records")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="wait for more at the end")] = True,
    as_json: JsonOption = False,
) -> None:
    """Print decoded records of every topic that the filters and classes name."""
    from topology.namespace.classes import DERIVED

    shown = 0
    with _subscribe(filters, classes or [str(name) for name in DERIVED], begin, follow) as messages:
        for message in messages:
            typer.echo(_line(message, as_json))
            shown += 1
            if count is not None and shown >= count:
                return


def _line(message: "Received", as_json: bool) -> str:
    import json

    from schemas.text import to_plain

    plain: dict[str, Any] = to_plain(message.record) if message.record is not None else {"problem": message.problem}
    place = {"class": str(message.message_class), "path": str(message.path)}
    if as_json:
        where = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        return json.dumps({**place, **where, **plain}, ensure_ascii=False)
    hidden = ("type", "path", "id", "inputs", "definition", "source", "sequence")
    if "samples" in plain:
        text = "  ".join(f"{sample['tag']}={sample['value']}" for sample in plain["samples"])
        return f"{place['path']}  {plain['samples'][-1]['at'][11:23]}  {text}" if plain["samples"] else place["path"]
    text = "  ".join(
        f"{name}={_short(name, value)}" for name, value in plain.items() if name not in hidden and value is not None
    )
    return f"{message.message_class:<10} {message.path}  {text}"


def _short(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and name.endswith(("_at", "at", "since", "seen")):
        return value[:19]
    if name == "tags":
        return f"{len(value)} tags"
    if name in ("element_us", "loss_us"):
        return " ".join(f"{element}:{micros / 60e6:.1f}min" for element, micros in value.items() if micros)
    if name in ("values", "quantities"):
        return " ".join(f"{kpi}:{number:.4g}" for kpi, number in value.items() if number is not None)
    if name == "pieces":
        return " ".join(f"{one['product'] or '-'}:{one['good']}/{one['scrap']}/{one['rework']}" for one in value)
    if name == "stops":
        return f"{sum(one['count'] for one in value)} of {len(value)} reasons"
    return str(value)


@app.command()
def tree(
    filters: Annotated[list[str] | None, typer.Argument(help="MQTT filters over paths; everything by default")] = None,
    tags: Annotated[bool, typer.Option("--tags", help="the newest value of each tag, too")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the namespace with the latest snapshot of each path."""
    from schemas.records import Current
    from schemas.text import iso, to_plain
    from uns.model.plant import units
    from uns.runtime.settings import settings

    newest: dict[str, Current] = {}
    with _subscribe(filters or ["#"], ["current"], "beginning", follow=False) as messages:
        for message in messages:
            if isinstance(message.record, Current):
                newest[str(message.path)] = message.record
    if as_json:
        for path in sorted(newest):
            emit(to_plain(newest[path]))
        return
    known = units(settings().plant) if tags else {}
    shown: list[str] = []
    for path in sorted(newest):
        segments = path.split("/")
        common = 0
        while common < min(len(shown), len(segments) - 1) and shown[common] == segments[common]:
            common += 1
        for depth in range(common, len(segments) - 1):
            typer.echo("  " * depth + segments[depth])
        shown = segments[:-1]
        current = newest[path]
        oee = "–" if current.oee is None else f"{100 * current.oee:.1f} %"
        typer.echo(
            "  " * (len(segments) - 1)
            + f"{segments[-1]:<14} {current.state:<11} OEE {oee:<8} good {current.good:<6} {iso(current.at)[11:19]}"
        )
        if tags:
            for tag in current.tags:
                value = f"{tag.value} {known.get((path, tag.tag), '')}".rstrip()
                typer.echo("  " * len(segments) + f"{tag.tag:<16} {value}  {iso(tag.at)[11:23]}")


@app.command()
def get(path: Annotated[str, typer.Argument(help="one path, of any level")], as_json: JsonOption = False) -> None:
    """Print the latest snapshot of a cell; of a line, area, site or enterprise the newest KPIs of each kind of window."""
    from schemas.records import Current
    from schemas.text import to_plain
    from topology.namespace.path import BadPath, Level, Path

    try:
        place = Path.parse(path)
    except BadPath as error:
        raise UserError(str(error)) from error
    if place.level < Level.CELL:
        _get_kpis(str(place), as_json)
        return
    found: Current | None = None
    with _subscribe([str(place)], ["current"], "beginning", follow=False) as messages:
        for message in messages:
            if isinstance(message.record, Current):
                found = message.record
    if found is None:
        raise UserError(f"{place}: no snapshot; `uns tree` shows the paths that have one")
    plain = to_plain(found)
    if as_json:
        emit(plain)
        return
    for name, value in plain.items():
        if name == "tags":
            for tag in value:
                typer.echo(f"  {tag['tag']:<16} {tag['value']}  ({tag['at']})")
        elif name not in ("type", "inputs", "tags") and value is not None:
            typer.echo(f"{name:<14} {value}")


def _get_kpis(path: str, as_json: bool) -> None:
    from schemas.records import Kpi
    from schemas.text import iso, to_plain

    newest: dict[str, Kpi] = {}
    with _subscribe([path], ["kpi"], "2d", follow=False) as messages:
        for message in messages:
            record = message.record
            if isinstance(record, Kpi):
                known = newest.get(record.window)
                if known is None or (record.started_at, record.revision) >= (known.started_at, known.revision):
                    newest[record.window] = record
    if not newest:
        raise UserError(f"{path}: no KPIs of the last two days; `uns run rollups` makes them of the cells'")
    for record in newest.values():
        if as_json:
            emit(to_plain(record))
            continue
        end = "now" if record.ended_at is None else iso(record.ended_at)[:16]
        typer.echo(
            f"{record.window} {record.window_name or ''}  {iso(record.started_at)[:16]} to {end}  {record.status}"
        )
        for name, value in record.values.items():
            if value is not None:
                typer.echo(f"  {name:<30} {value:.4g}")

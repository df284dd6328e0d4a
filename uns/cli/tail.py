"""`uns tail`: decoded records as they come, for people by the site's clock, with `--json` for programs."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import app
from uns.cli.options import ClassesOption, FiltersArgument, JsonLinesOption, PlantOption, from_option, which_plant

if TYPE_CHECKING:
    from topology.namespace.classes import MessageClass
    from topology.namespace.filters import Filter
    from uns.client.subscribe import Begin, Received, Subscription
    from uns.model.zones import SiteZones

HIDDEN = ("type", "path", "id", "inputs", "definition", "source", "sequence")
"""Fields that a line for people leaves out."""
PAYLOAD_MAX = 400
"""Characters of a quarantined payload in a line for people; `--json` has all."""


@app.command()
def tail(
    filters: FiltersArgument,
    classes: ClassesOption = None,
    begin: Annotated[str, from_option("what is shown, by the time Kafka took it")] = "now",
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="stop after so many records")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="wait for more at the end")] = True,
    ticks: Annotated[
        bool, typer.Option("--ticks", help="of class raw also the ticks of the processors' clock")
    ] = False,
    plant: PlantOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Print decoded records of every topic that the filters and classes name.

    For example: uns tail 'acme/+/packaging/#' -c downtime --from 8h; uns tail '#' -c quarantine --from beginning
    """
    from schemas.records import Tick
    from topology.namespace.classes import DERIVED
    from uns.cli.times import Reader, zones_of
    from uns.cli.words import classes_of, filter_of
    from uns.runtime import clock

    wanted = [filter_of(text) for text in filters]
    chosen = classes_of(classes) if classes else list(DERIVED)
    zones = zones_of(which_plant(plant))
    start: Begin = begin
    if begin not in ("now", "beginning"):
        start = Reader(clock.system(), zones, wanted).instant("--from", begin) // 1000
    shown = 0
    with subscribe(wanted, chosen, start, follow) as messages:
        for message in messages:
            if isinstance(message.record, Tick) and not ticks and not _in_quarantine(message):
                continue
            typer.echo(json.dumps(document(message), ensure_ascii=False) if as_json else line(message, zones))
            shown += 1
            if count is not None and shown >= count:
                return


def subscribe(filters: "list[Filter]", classes: "list[MessageClass]", begin: "Begin", follow: bool) -> "Subscription":
    """Raises `UserError`."""
    from uns.cli.failures import failures_told
    from uns.client.connection import codec, connection
    from uns.client.subscribe import NothingMatches, Subscription

    with failures_told(NothingMatches):
        settings = connection()
        return Subscription(settings, codec(settings), filters, classes, begin, follow)


def document(message: "Received") -> dict[str, Any]:
    """One record for programs: where it lies and all of it, times in UTC.

    Of a quarantined one why it is there, its payload as text or hex, and under `record` what it decodes to, if anything.
    """
    from schemas.text import to_plain

    plain: dict[str, Any] = {"removed": True} if message.removed else {"problem": message.problem}
    if message.record is not None:
        plain = to_plain(message.record)
    return {
        "class": str(message.message_class),
        "path": str(message.path),
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        **({"record": plain, **_quarantined(message)} if _in_quarantine(message) else plain),
    }


def line(message: "Received", zones: "SiteZones") -> str:
    """One record for people, in one line, times by the clock of its place."""
    from schemas.records import Samples
    from schemas.text import to_plain
    from uns.cli.times import shown

    zone = zones.at(message.path)
    if _in_quarantine(message):
        why = _quarantined(message)
        payload = f"{why['encoding']} {why['payload']}"
        return (
            f"quarantine {message.path}  {shown(message.ingested_at, zone)}  {why['reason']} at {why['stage']} "
            f"by {why['connector']}: {why['message']}  {payload[:PAYLOAD_MAX]}{'…' if len(payload) > PAYLOAD_MAX else ''}"
        )
    if message.removed:
        return f"{message.message_class:<10} {message.path}  {shown(message.ingested_at, zone)}  removed from the plant"
    if message.record is None:
        return f"{message.message_class:<10} {message.path}  cannot be read: {message.problem}"
    if isinstance(message.record, Samples):
        samples = message.record.samples
        text = "  ".join(f"{sample.tag}={word(sample.value)}" for sample in samples)
        return (
            f"{message.path}  {shown(samples[-1].at, zone, 'milliseconds')}  {text}" if samples else str(message.path)
        )
    plain = to_plain(message.record, lambda at: shown(at, zone))
    text = "  ".join(
        f"{name}={short(name, value)}" for name, value in plain.items() if name not in HIDDEN and value is not None
    )
    # A class of derived records says what they are; raw holds facts of many types.
    kind = plain["type"] if message.message_class.value == "raw" else message.message_class
    return f"{kind:<10} {message.path}  {text}"


def _in_quarantine(message: "Received") -> bool:
    from topology.namespace.classes import MessageClass

    return message.message_class is MessageClass.QUARANTINE


def _quarantined(message: "Received") -> dict[str, Any]:
    from uns.dlq.item import readable
    from uns.kafka.message import quarantined

    why = quarantined(message.headers)
    encoding, payload = readable(message.value)
    return {
        "reason": why.reason,
        "stage": why.stage,
        "connector": why.connector,
        "message": why.words,
        "source": {"topic": why.topic, "partition": why.partition, "offset": why.offset, "tag": why.tag},
        "cut_from_bytes": why.cut_bytes,
        "encoding": encoding,
        "payload": payload,
    }


def short(name: str, value: Any) -> str:
    """A field of a record in few characters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if name == "tags":
        return f"{len(value)} tags"
    if name in ("observed_us", "elapsed_us") and value is not None:
        return f"{value / 60e6:.1f}min"
    if name in ("element_us", "loss_us"):
        return " ".join(f"{element}:{micros / 60e6:.1f}min" for element, micros in value.items() if micros)
    if name in ("values", "quantities"):
        return " ".join(f"{kpi}:{number:.4g}" for kpi, number in value.items() if number is not None)
    if name == "pieces":
        return " ".join(f"{row['product'] or '-'}:{row['good']}/{row['scrap']}/{row['rework']}" for row in value)
    if name == "stops":
        return f"{sum(row['count'] for row in value)} of {len(value)} reasons"
    return word(value)


def word(value: Any) -> str:
    """Text as it is, all else as JSON has it: never as Python does."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""`uns ack` and `uns pub`: what people and other systems tell the namespace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app
from uns.cli.options import PlantOption, which_plant

if TYPE_CHECKING:
    from schemas.records import Fact
    from topology.namespace.path import Path as Place

ALERT = "acme/dallas/packaging/line-1/packer#alert.breakdown@20261123T060000.000000Z~iso22400@2"
FACT = (
    '{"type": "Reason", "id": "r1", "code": 301, "started_at": "2026-11-23T06:00:00Z", '
    '"ended_at": "2026-11-23T06:12:00Z", "by": "anna"}'
)
PUBLISHER = "uns-cli"
ForceOption = Annotated[
    bool, typer.Option("--force", help="publish without asking the plant model, where it is on another machine")
]


@app.command()
def ack(
    alert: Annotated[
        str,
        typer.Argument(
            help="the alert's id, with or without its revision, as `uns tail '#' -c alert --json` shows it, "
            f"e.g. {ALERT}"
        ),
    ],
    by: Annotated[str, typer.Option(help="who has seen it")],
    comment: Annotated[str | None, typer.Option(help="in your words")] = None,
    plant: PlantOption = None,
    force: ForceOption = False,
) -> None:
    """Acknowledge an alert."""
    from schemas.records import Acknowledge
    from uns.cli.failures import failures_told
    from uns.cli.words import path_of
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished, publish

    natural = natural_id_of(alert)
    path = path_of(natural.partition("#")[0])
    fact = Acknowledge(alert=natural, at=_now(), by=by, comment=comment)
    if not force:
        check(plant, path, fact)
    settings = connection()
    with failures_told(NotPublished):
        publish(settings, codec(settings), path, fact, PUBLISHER)
    typer.echo(f"acknowledged {natural}")


def natural_id_of(alert: str) -> str:
    """An alert's id without its revision. Raises `UserError` for what is no alert's id."""
    from processors.output.identity import parse

    head, _, revision = alert.rpartition(":")
    natural = head if revision.isdigit() else alert
    try:
        kind, _ = parse(natural)
    except ValueError:
        kind = ""
    if not kind.startswith("alert."):
        raise UserError(f"{alert} is no alert's id; they look like {ALERT}")
    return natural


@app.command()
def pub(
    path: Annotated[
        str, typer.Argument(help="line or cell the fact is about, e.g. acme/dallas/packaging/line-1/filler")
    ],
    fact: Annotated[str, typer.Argument(help=f"JSON, e.g. {FACT}")],
    plant: PlantOption = None,
    force: ForceOption = False,
) -> None:
    """Publish one fact: an Order, Lot, Shift, Reason, Gap, Inspection, Acknowledge, WorkOrder, Shelve, OutOfService or Limits. What the processors would refuse is not
    published: an unknown place or reason code, an end before the begin, a text that is too long.
    """
    import json

    from schemas.records import FACT_TYPES
    from schemas.text import from_plain
    from uns.cli.failures import failures_told
    from uns.cli.words import path_of
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished, publish

    place = path_of(path)
    try:
        told = json.loads(fact)
    except ValueError as error:
        raise UserError(f"the fact is no JSON: {error}; write e.g. {FACT}") from error
    if not isinstance(told, dict):
        raise UserError(f"the fact is no JSON object; write e.g. {FACT}")
    try:
        record = from_plain(told)
    except ValueError as error:
        raise UserError(str(error)) from error
    if not isinstance(record, FACT_TYPES):
        raise UserError(f"{type(record).__name__} is not a fact; there are {', '.join(t.__name__ for t in FACT_TYPES)}")
    if not force:
        check(plant, place, record)
    settings = connection()
    with failures_told(NotPublished):
        offset = publish(settings, codec(settings), place, record, PUBLISHER)
    typer.echo(f"published {type(record).__name__} for {place} at offset {offset}")


def check(named: "Path | None", place: "Place", fact: "Fact") -> None:
    """Raises `UserError` where the plant model does not take the fact, and where there is none to ask."""
    from processors.inputs.admission import Admission
    from uns.model.plant import load_plant

    folder = which_plant(named)
    if not folder.exists():
        raise UserError(
            f"no plant model in {folder} to check the fact by; --plant names its folder, --force publishes unchecked"
        )
    refused = Admission(load_plant(folder)).whole_refusal(str(place), fact)
    if refused is not None:
        raise UserError(f"not published: {refused.message}; --force publishes it all the same")


def _now() -> int:
    from uns.runtime import clock
    from uns.runtime.running import effective_settings

    return clock.from_spec(effective_settings().clock)()

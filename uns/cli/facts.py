"""`uns ack` and `uns pub`: what people and other systems tell the namespace."""

from typing import Annotated

import typer

from uns.cli.app import UserError, app


@app.command()
def ack(
    alert: Annotated[
        str, typer.Argument(help="the alert's id, with or without its revision, as `uns tail -c alert --json` shows it")
    ],
    by: Annotated[str, typer.Option(help="who has seen it")],
    comment: Annotated[str | None, typer.Option(help="in your words")] = None,
) -> None:
    """Acknowledge an alert."""
    from schemas.records import Acknowledge
    from topology.namespace.path import BadPath, Path
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished, publish

    place, _, rest = alert.partition("#")
    kind, _, _ = rest.partition("@")
    if not kind:
        raise UserError(
            f"{alert!r} is no alert id; they look like acme/…/packer#alert-breakdown@20261123T060000.000000Z~…"
        )
    natural = alert.rpartition(":")[0] if alert.rpartition(":")[2].isdigit() else alert
    settings = connection()
    try:
        path = Path.parse(place)
        publish(
            settings, codec(settings), path, Acknowledge(alert=natural, at=_now(), by=by, comment=comment), "uns-cli"
        )
    except (BadPath, NotPublished) as error:
        raise UserError(str(error)) from error
    typer.echo(f"acknowledged {natural}")


@app.command()
def pub(
    path: Annotated[str, typer.Argument(help="line or cell the fact is about")],
    fact: Annotated[
        str,
        typer.Argument(help='JSON, e.g. {"type": "Reason", "id": "r1", "code": 301, "started_at": "…", "by": "anna"}'),
    ],
) -> None:
    """Publish one fact: an Order, Lot, Shift, Reason, Inspection or Acknowledge."""
    import json

    from schemas.records import FACT_TYPES
    from schemas.text import from_plain
    from topology.namespace.path import BadPath, Path
    from uns.client.connection import codec, connection
    from uns.kafka.publish import NotPublished, publish

    try:
        record = from_plain(json.loads(fact))
        place = Path.parse(path)
    except (ValueError, BadPath) as error:
        raise UserError(str(error)) from error
    if not isinstance(record, FACT_TYPES):
        raise UserError(f"{type(record).__name__} is not a fact; there are {', '.join(t.__name__ for t in FACT_TYPES)}")
    settings = connection()
    try:
        offset = publish(settings, codec(settings), place, record, "uns-cli")
    except NotPublished as error:
        raise UserError(str(error)) from error
    typer.echo(f"published {type(record).__name__} for {place} at offset {offset}")


def _now() -> int:
    from uns.runtime import clock
    from uns.runtime.running import effective_settings

    return clock.from_spec(effective_settings().clock)()

"""`uns export …`: documents of the interfaces, and data as tables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, group
from uns.cli.options import ClassesOption, FiltersArgument, PlantOption, UntilOption, from_option, which_plant

export = group(
    "Write out what others need: the namespace as AsyncAPI, the HTTP services as OpenAPI, data as tables.",
    {"asyncapi": "export", "openapi": "export", "data": "export"},
)
app.add_typer(export, name="export")

OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="file to write; none: the terminal")]


@export.command()
def asyncapi(
    out: OutOption = None,
    html: Annotated[bool, typer.Option("--html", help="a page to read instead of JSON; it loads nothing")] = False,
    server: Annotated[
        str | None, typer.Option(help="Kafka's address in the document (default: UNS_BOOTSTRAP, or what runs here)")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="replicas of a topic, where the document is to say it")
    ] = None,
    plant: PlantOption = None,
) -> None:
    """Describe the plant's topics and records as AsyncAPI 3.1: no service is asked."""
    from uns.export.asyncapi import Server, document
    from uns.export.page import page
    from uns.model.plant import load_plant
    from uns.runtime.running import effective_settings

    settings = effective_settings()
    host = server or settings.bootstrap
    there = None
    if host is not None:
        there = Server(host, settings.registry, settings.security_protocol, settings.sasl_mechanism)
    made = document(load_plant(which_plant(plant)), there, replicas)
    _write(page(made) if html else _json(made), out)


@export.command()
def openapi(
    service: Annotated[str, typer.Argument(help="registry, http or i3x")],
    out: OutOption = None,
) -> None:
    """Describe an HTTP service as OpenAPI 3.1."""
    from uns.cli.words import member
    from uns.export.openapi import documents

    there = documents()
    member("service", service, there, "the HTTP services")
    _write(_json(there[service]), out)


@export.command()
def data(
    filters: FiltersArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of the files, one a record type")],
    begin: Annotated[str, from_option("what is written, by the plant's time")],
    until: UntilOption = "now",
    classes: ClassesOption = None,
    records: Annotated[
        list[str] | None,
        typer.Option(
            "--record", help="of class raw: facts of this type, e.g. Order; again for more (default: samples)"
        ),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="parquet, arrow or csv")] = "parquet",
    historian: Annotated[
        str | None,
        typer.Option(help="sink of the plant model that has what Kafka keeps no more; none: the only historian"),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="write what there is, where a part is kept nowhere")
    ] = False,
    plant: PlantOption = None,
) -> None:
    """Write records of a span as tables: samples a row each, of derived records the newest revision.

    For example: uns export data 'acme/dallas/#' -c oee -c downtime --from 7d --out build/week
    """
    from topology.namespace.classes import DERIVED
    from uns.cli.failures import failures_told
    from uns.cli.times import Reader, zones_of
    from uns.cli.words import classes_of, filter_of
    from uns.client.connection import codec, connection
    from uns.export.columns import arrow
    from uns.export.data import Asked, Export
    from uns.history.historian import Historian, config_of
    from uns.model.plant import load_plant
    from uns.runtime import clock

    _checked(format_, records or ())
    arrow()
    settings = connection()
    folder = which_plant(plant)
    wanted = [filter_of(text) for text in filters]
    reader = Reader(clock.from_spec(settings.clock)(), zones_of(folder), wanted)
    asked = Asked(wanted, *reader.between(begin, until), format_, out)
    config = config_of(load_plant(folder), historian) if folder.exists() else None
    kept = None if config is None else Historian(config)
    made = Export(settings, codec(settings), asked, kept, partial, lambda words: typer.echo(f"uns: {words}", err=True))
    with failures_told():
        for message_class in classes_of(classes) if classes else DERIVED:
            for file, rows in made.run(message_class, records or ()):
                typer.echo(f"{file}  {rows} rows")


def _checked(format_: str, records: Iterable[str]) -> None:
    """Raises `UserError` for what is no format or no record of class raw."""
    from schemas.records import FACT_TYPES, Samples
    from uns.cli.words import choice
    from uns.export.columns import FORMATS

    choice("--format", format_, dict.fromkeys(FORMATS))
    kinds = {kind.__name__: kind for kind in (Samples, *FACT_TYPES)}
    for name in records:
        choice("--record", name, kinds)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error
    typer.echo(f"{out}: {len(text.encode())} bytes")

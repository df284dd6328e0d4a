"""`uns export …`: documents of the interfaces."""

import json
from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, group
from uns.cli.options import PlantOption, which_plant

export = group(
    "Write out what others need: the namespace as AsyncAPI, the HTTP services as OpenAPI, data as tables.",
    {"asyncapi": "export", "openapi": "export"},
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

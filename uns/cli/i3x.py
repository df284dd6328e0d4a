"""`uns run i3x`: the namespace for clients of i3X."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, run
from uns.cli.options import PlantOption


@run.command()
def i3x(
    port: Annotated[int, typer.Option(help="port to listen on")] = 8085,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="file of who may ask: `bearer TOKEN` or `basic USER:PASSWORD`, one a line; none: this machine"
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="certificate (PEM) to serve HTTPS with")] = None,
    key: Annotated[Path | None, typer.Option(help="its key (PEM)")] = None,
    historian: Annotated[
        str | None,
        typer.Option(
            help="sink of the plant model that has the past; none: the only historian, else Kafka's retention"
        ),
    ] = None,
    ttl_s: Annotated[float, typer.Option(min=1, help="a subscription nobody asks for so long is deleted, in s")] = 600,
    updates: Annotated[int, typer.Option(min=1, help="updates that may wait in one subscription")] = 10_000,
    plant: PlantOption = None,
) -> None:
    """Serve the namespace by i3X 1.0 (HTTP and JSON): browse, read, history, subscribe."""
    from schemas.records import TYPES
    from uns.client.connection import codec, connection
    from uns.i3x.serve import serve
    from uns.i3x.subscriptions import Limits
    from uns.model.plant import load_plant
    from uns.runtime.access import read

    if (certificate is None) != (key is None):
        raise UserError("HTTPS needs both --certificate and --key")
    settings = connection()
    tls = None if certificate is None or key is None else (certificate, key)
    limits = Limits(updates=updates, ttl_s=ttl_s)
    model = load_plant(plant or settings.plant)
    serve(settings, model, codec(settings, TYPES.values()), port, read(credentials), limits, historian, tls)

"""`uns run page`: the live screens."""

from typing import Annotated

import typer

from uns.cli.app import run


@run.command()
def page(
    port: Annotated[int, typer.Option(help="port of the page")] = 8080,
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            help="what browsers may call it by, beside addresses and this machine's own name; may be repeated"
        ),
    ] = None,
    anyone: Annotated[
        bool,
        typer.Option(
            "--anyone-on-the-network-may-act",
            help="listen beyond this machine without users: whoever reaches the page may act in any name",
        ),
    ] = False,
) -> None:
    """Serve the live page over the derived topics."""
    from schemas.records import TYPES
    from uns.client.connection import codec, connection
    from uns.web.serve import serve

    settings = connection()
    serve(settings, codec(settings, TYPES.values()), port, host_name or (), anyone)

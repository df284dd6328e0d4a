"""`uns run page`: the live screen."""

from typing import Annotated

import typer

from uns.cli.app import run


@run.command()
def page(port: Annotated[int, typer.Option(help="port of the page")] = 8080) -> None:
    """Serve the live page over the derived topics."""
    from schemas.records import TYPES
    from uns.client.connection import codec, connection
    from uns.web.serve import serve

    settings = connection()
    serve(settings, codec(settings, TYPES.values()), port)

"""`uns run connect-status`: connectors and sinks for Kafka consoles."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import run
from uns.cli.options import PlantOption


@run.command("connect-status")
def connect_status(
    port: Annotated[int, typer.Option(help="port to listen on")] = 8083,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="file of who may ask: `bearer TOKEN` or `basic USER:PASSWORD`, one a line; none: this machine"
        ),
    ] = None,
    state: Annotated[
        list[Path] | None,
        typer.Option(
            "--state", help="state folder of the parts on this machine; again for more (default: UNS_STATE_DIR)"
        ),
    ] = None,
    plant: PlantOption = None,
) -> None:
    """Serve connectors and sinks of this machine by Kafka Connect's REST contract: status, pause, resume, restart."""
    from uns.model.plant import load_plant
    from uns.runners.connect.serve import serve
    from uns.runtime.access import read
    from uns.runtime.running import effective_settings

    settings = effective_settings()
    serve(settings, load_plant(plant or settings.plant), port, read(credentials), state or [settings.state_dir])

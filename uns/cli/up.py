"""`uns up`: your own plant on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import app, stop_on_sigterm

# What runs here already is not meant: this starts another.
PlantToStart = Annotated[
    Path | None, typer.Option("--plant", help="folder of the plant model (default: UNS_PLANT, else ./plant)")
]


@app.command()
def up(
    plant: PlantToStart = None,
    port: Annotated[int | None, typer.Option(help="port of the page (default: 8080, or a free one)")] = None,
) -> None:
    """Run a plant model here: embedded services where none are named, then all its parts, until Ctrl-C."""
    import threading

    from uns.local.folder import farewell
    from uns.local.up import Up
    from uns.runtime.settings import settings
    from uns.runtime.telemetry import quiet

    given = settings()
    folder = plant or given.plant
    quiet()
    stop_on_sigterm()
    running = Up(given, folder, port, typer.echo)
    try:
        running.start()
        typer.echo(
            f"\n  the page: {running.page_url}\n"
            "  in another terminal:  uns tail '#' --class raw\n"
            "                        uns tree --tags\n"
            "                        uns connector ledger\n"
        )
        threading.Event().wait()
    except KeyboardInterrupt:
        typer.echo("\nstopping")
    finally:
        running.close()
        if running.begun:
            typer.echo(farewell(given.state_dir, f"uns up --plant {folder}"))

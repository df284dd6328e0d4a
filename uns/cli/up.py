"""`uns up`: your own plant on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import app, stop_on_sigterm


@app.command()
def up(
    plant: Annotated[
        Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT, else ./plant)")
    ] = None,
    port: Annotated[int | None, typer.Option(help="port of the page; a free one by default")] = None,
) -> None:
    """Run a plant model here: embedded services where none are named, then all its parts, until Ctrl-C."""
    import threading

    from uns.local.up import Up
    from uns.runtime.settings import settings
    from uns.runtime.telemetry import quiet

    given = settings()
    quiet()
    stop_on_sigterm()
    running = Up(given, plant or given.plant, port, typer.echo)
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
        typer.echo(f"data and logs: {given.state_dir}   go on: uns up   delete them: rm -r {given.state_dir}")

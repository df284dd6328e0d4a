"""`uns health`: is the part that runs here well? For a container's health check: a client, quick, and without Kafka."""

from typing import Annotated

import typer

from uns.cli.app import FAILED, UserError, app, emit
from uns.cli.options import JsonOption


@app.command()
def health(
    address: Annotated[
        str | None, typer.Argument(help="http://host:port of its metrics; UNS_METRICS_PORT on this machine by default")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="ask whether it lives, not whether it is ready")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a part whether it is ready: exit code 0, or 1 and why not."""
    from uns.watch.health import reasons

    why_not = reasons(address or _here(), "live" if live else "ready")
    if as_json:
        emit({"ok": not why_not, "reasons": why_not})
    else:
        typer.echo("; ".join(why_not) or "ok")
    raise typer.Exit(FAILED if why_not else 0)


def _here() -> str:
    from uns.runtime.settings import settings

    port = settings().metrics_port
    if not port:
        raise UserError("which part? give its address, http://host:port, or set UNS_METRICS_PORT as it is set there")
    return f"http://127.0.0.1:{port}"

"""`uns run sink NAME` and `uns sink list`."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit, run

sink = typer.Typer(no_args_is_help=True, help="The plant's sinks.")
app.add_typer(sink, name="sink")

PlantOption = Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")]


@run.command("sink")
def run_sink(name: Annotated[str, typer.Argument(help="sink of the plant model")], plant: PlantOption = None) -> None:
    """Write what a sink subscribes to into its target, until SIGTERM."""
    import difflib

    from uns.client.connection import connection
    from uns.model.lint import check_sink
    from uns.model.plant import load_plant
    from uns.runners.sink.service import serve

    settings = connection()
    model = load_plant(plant or settings.plant)
    if name not in model.sinks:
        near = difflib.get_close_matches(name, list(model.sinks), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(model.sinks) or 'none'}"
        raise UserError(f"sink {name!r} is not in the plant model; {hint}")
    check_sink(model, name)
    serve(settings, model, name)


@sink.command("list")
def list_(
    plant: PlantOption = None, as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False
) -> None:
    """Sinks of the plant model, and the kinds that are installed."""
    from uns.model.components import SINKS, names
    from uns.model.plant import load_plant
    from uns.runtime.settings import settings

    model = load_plant(plant or settings().plant)
    if as_json:
        found = {
            name: {"kind": one.kind, "filter": one.subscribe.filter, "classes": one.subscribe.classes}
            for name, one in model.sinks.items()
        }
        emit({"sinks": found, "kinds": names(SINKS)})
        return
    for name, one in model.sinks.items():
        typer.echo(f"{name:<20} {one.kind:<12} {one.subscribe.filter}  {', '.join(one.subscribe.classes)}")
    typer.echo(f"installed kinds: {', '.join(names(SINKS))}")

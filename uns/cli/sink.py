"""`uns run sink NAME` and `uns sink list`."""

from typing import Annotated

import typer

from uns.cli.app import app, emit, group, run
from uns.cli.options import JsonOption, PlantOption, which_plant

sink = group("The plant's sinks.", {"list": "sink"})
app.add_typer(sink, name="sink")


@run.command("sink")
def run_sink(name: Annotated[str, typer.Argument(help="sink of the plant model")], plant: PlantOption = None) -> None:
    """Write what a sink subscribes to into its target, until SIGTERM."""
    from uns.cli.words import member
    from uns.client.connection import connection
    from uns.model.lint import check_sink
    from uns.model.plant import load_plant
    from uns.runners.sink.service import serve

    settings = connection()
    model = load_plant(which_plant(plant))
    member("sink", name, model.sinks, "the plant model")
    check_sink(model, name)
    serve(settings, model, name)


@sink.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Sinks of the plant model, and the kinds that are installed."""
    from uns.model.components import SINKS, names
    from uns.model.plant import load_plant

    sinks = load_plant(which_plant(plant)).sinks
    if as_json:
        rows = {
            name: {"kind": each.kind, "filter": each.subscribe.filter, "classes": each.subscribe.classes}
            for name, each in sinks.items()
        }
        emit({"sinks": rows, "kinds": names(SINKS)})
        return
    for name, each in sinks.items():
        typer.echo(f"{name:<20} {each.kind:<12} {each.subscribe.filter}  {', '.join(each.subscribe.classes)}")
    typer.echo(f"installed kinds: {', '.join(names(SINKS))}")

"""`uns run sink NAME` and `uns sink list`."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import app, emit, group, run
from uns.cli.options import JsonOption, PlantOption, which_plant

sink = group(
    "The plant's sinks: what there is, and what one makes of a record.",
    {"list": "sink", "try": "sink", "profiles": "profiles"},
)
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


@sink.command("try")
def try_(
    name: Annotated[str, typer.Argument(help="sink of the plant model")],
    record: Annotated[
        Path | None, typer.Option("--record", help="file with a record in JSON, as `uns tail --json` prints it")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="the last record of a day that the sink writes")] = False,
    send: Annotated[
        bool, typer.Option("--send", help="send it, through the ledger of this machine; stop the sink before")
    ] = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the requests that a record would make; with --send the answers, and how they were judged."""
    from uns.cli.words import member
    from uns.client.connection import connection
    from uns.errors import UserError
    from uns.model.lint import check_sink
    from uns.model.plant import load_plant
    from uns.runners.sink import trial
    from uns.runtime.running import effective_settings
    from uns.runtime.telemetry import quiet

    quiet()
    if (record is None) == (not last):
        raise UserError("say which record: --record FILE, or --last")
    model = load_plant(which_plant(plant))
    member("sink", name, model.sinks, "the plant model")
    check_sink(model, name)
    delivery = trial.from_file(record) if record is not None else trial.last(connection(), model, name)
    told = trial.tell(model, name, delivery)
    if send:
        told = [*told, *trial.send(effective_settings(), model, name, delivery)]
    if as_json:
        emit(told)
        return
    for each in told:
        typer.echo("  ".join(f"{field}={_word(value)}" for field, value in each.items() if field != "headers"))
    if not told:
        typer.echo(f"sink {name} passes it over: no request wants it")


def _word(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


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

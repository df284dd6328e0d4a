"""`uns run sink NAME` and `uns sink list`."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import app, emit, group, run
from uns.cli.options import JsonOption, PlantOption, UntilOption, from_option, which_plant

sink = group(
    "The plant's sinks: what there is, how they are, what one makes of a record, and whether its target has all.",
    dict.fromkeys(("list", "status", "try", "verify"), "sink") | {"profiles": "profiles"},
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


@sink.command()
def status(as_json: JsonOption = False) -> None:
    """How sinks on this machine and their targets are. Exit code 1 where one does not run or has a problem."""
    import time

    import msgspec

    from uns.runners.sink.health import read_health
    from uns.runtime.running import effective_settings

    found = read_health(effective_settings().state_dir)
    runs = {name: health is not None and health.runs(time.time()) for name, health in found.items()}
    if as_json:
        emit(
            {
                name: {"runs": runs[name]} | (msgspec.to_builtins(health) if health else {})
                for name, health in found.items()
            }
        )
    for name, health in found.items() if not as_json else ():
        if health is None or not runs[name]:
            typer.echo(f"{name:<20} does not run")
            continue
        told = {
            "written": health.written,
            "rejected": health.rejected,
            "unreadable": health.unreadable,
            "left behind": health.left_behind,
            "given again": health.given_again,
            "retries": health.retries,
            "held": health.held,
            "unclear": health.unclear,
        }
        counts = "  ".join(f"{word} {count}" for word, count in told.items() if count or word == "written")
        lag = "lag not known yet" if health.lag is None else f"lag {health.lag}"
        oldest = f", the oldest waits {health.oldest_age_s:.0f} s" if health.oldest_age_s else ""
        typer.echo(f"{name:<20} {'waits' if health.problems else 'writes':<7} {lag}{oldest}  {counts}")
        for problem in health.problems:
            typer.echo(f"  ! {problem}")
    if not all(runs.values()) or any(health.problems for health in found.values() if health):
        raise typer.Exit(1)


@sink.command()
def verify(
    name: Annotated[str, typer.Argument(help="sink of the plant model")],
    begin: Annotated[str, from_option("the span in event time")] = "beginning",
    until: UntilOption = "now",
    most: Annotated[int, typer.Option("--most", min=0, help="so many differences of a kind are shown; all count")] = 50,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a sink's target with its topics: what is missing there, twice or different. Exit code 1 where something is.

    What the sink has not written yet, and what is in quarantine, is left out and counted. Reads only.
    """
    from topology.namespace.filters import Filter
    from uns.cli.failures import failures_told
    from uns.cli.times import Reader, zones_of
    from uns.cli.words import member
    from uns.client.connection import connection
    from uns.engine.config import EngineConfig
    from uns.model.lint import check_sink
    from uns.model.plant import load_plant
    from uns.runners.sink.verify import lines
    from uns.runners.sink.verify import verify as compare
    from uns.runtime import clock
    from uns.runtime.telemetry import quiet

    quiet()
    settings, folder = connection(), which_plant(plant)
    model = load_plant(folder)
    its = member("sink", name, model.sinks, "the plant model")
    check_sink(model, name)
    reader = Reader(clock.system(), zones_of(folder), [Filter.parse(its.subscribe.filter)])
    start, end = reader.between(begin, until)
    processors = EngineConfig().group or f"uns-processors-{model.enterprise}"
    with failures_told():
        report = compare(settings, model, name, start, end, processors, most)
    if as_json:
        emit(
            {
                "equal": report.equal,
                "wanted": report.wanted,
                "found": report.found,
                "beyond": report.beyond,
                "pending": report.pending,
                "quarantined": report.quarantined,
                "left_out": report.left_out,
                "counts": dict(report.counts),
                "differences": [difference._asdict() for difference in report.differences],
            }
        )
    else:
        for line in lines(report):
            typer.echo(line)
    if not report.equal:
        raise typer.Exit(1)


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

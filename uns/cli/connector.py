"""`uns run connector NAME` and `uns connector …`."""

from typing import Annotated

import typer

from uns.cli.app import app, emit, group, run
from uns.cli.options import JsonOption, PlantOption, which_plant

connector = group(
    "The plant's connectors: what there is, and their ledgers.", dict.fromkeys(("list", "ledger"), "connector")
)
app.add_typer(connector, name="connector")


@run.command("connector")
def run_connector(
    name: Annotated[str, typer.Argument(help="connector of the plant model")],
    plant: PlantOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what the source says first, and publish nothing; needs no Kafka")
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="values to show with --dry-run")] = 10,
    wait_s: Annotated[float, typer.Option(min=0.1, help="longest wait for them, in seconds")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Publish what one source says, until SIGTERM."""
    from uns.cli.tail import word
    from uns.cli.words import member
    from uns.client.connection import connection
    from uns.model.lint import check_connector
    from uns.model.plant import load_plant
    from uns.runners.connector.preview import preview
    from uns.runners.connector.service import serve
    from uns.runtime.running import effective_settings
    from uns.runtime.telemetry import quiet

    settings = effective_settings() if dry_run else connection()
    model = load_plant(which_plant(plant))
    member("connector", name, model.connectors, "the plant model")
    check_connector(model, name)
    if not dry_run:
        serve(settings, model, name)
        return
    quiet()
    values = preview(settings, model, name, count, wait_s)
    if as_json:
        emit(values)
    for value in values if not as_json else ():
        typer.echo("  ".join(f"{field}={word(told)}" for field, told in value.items()))


@connector.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Connectors of the plant model, and the protocols that are installed."""
    from uns.model.components import CONNECTORS, names
    from uns.model.plant import load_plant

    model = load_plant(which_plant(plant))
    if as_json:
        emit(
            {
                "connectors": {name: each.protocol for name, each in model.connectors.items()},
                "protocols": names(CONNECTORS),
            }
        )
        return
    for name, each in model.connectors.items():
        typer.echo(f"{name:<24} {each.protocol}")
    typer.echo(f"installed protocols: {', '.join(names(CONNECTORS))}")


@connector.command()
def ledger(as_json: JsonOption = False) -> None:
    """What became of everything that connectors on this machine read. Exit code 1 when a unit is unaccounted for."""
    import dataclasses

    from uns.client.connection import connection
    from uns.runners.connector.ledger import read_ledgers

    ledgers = read_ledgers(connection().state_dir)
    if as_json:
        emit({name: dataclasses.asdict(books) | {"lost": books.lost} for name, books in ledgers.items()})
    for name, books in ledgers.items() if not as_json else ():
        typer.echo(
            f"{name:<20} read {books.read} = published {books.published} + suppressed {sum(books.suppressed.values())} "
            f"+ quarantined {sum(books.quarantined.values())} + dropped {sum(books.dropped.values())} "
            f"+ pending {books.pending}" + (f"  LOST {books.lost}" if books.lost else "")
        )
    if any(books.lost for books in ledgers.values()):
        raise typer.Exit(1)

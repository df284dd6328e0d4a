"""`uns run connector NAME` and `uns connector …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import app, emit, group, run
from uns.cli.options import JsonOption, PlantOption, which_plant

if TYPE_CHECKING:
    from topology.model.plant import Plant

connector = group(
    "The plant's connectors: what there is, what they say, and their ledgers.",
    {"list": "connector", "add": "browse", "browse": "browse", "ledger": "connector", "try": "connector"},
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
    if dry_run:
        _show(name, plant, count, wait_s, as_json)
        return
    from uns.client.connection import connection
    from uns.runners.connector.service import serve

    serve(connection(), _checked(name, plant), name)


@connector.command("try")
def try_(
    name: Annotated[str, typer.Argument(help="connector of the plant model")],
    plant: PlantOption = None,
    count: Annotated[int, typer.Option(min=1, help="values to show")] = 10,
    wait_s: Annotated[float, typer.Option(min=0.1, help="longest wait for them, in seconds")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Show what a source says and what is wrong with it; nothing is published. Exit code 1 where something is wrong."""
    if _show(name, plant, count, wait_s, as_json):
        raise typer.Exit(1)


def _checked(name: str, plant: Path | None) -> "Plant":
    """The plant model, with this connector in it and right."""
    from uns.cli.words import member
    from uns.model.lint import check_connector
    from uns.model.plant import load_plant

    model = load_plant(which_plant(plant))
    member("connector", name, model.connectors, "the plant model")
    check_connector(model, name)
    return model


def _show(name: str, plant: Path | None, count: int, wait_s: float, as_json: bool) -> bool:
    """Shows what a source says; whether something is wrong with it."""
    from uns.cli.tail import word
    from uns.runners.connector.preview import preview
    from uns.runtime.running import effective_settings
    from uns.runtime.telemetry import quiet

    quiet()
    units, remarks = preview(effective_settings(), _checked(name, plant), name, count, wait_s)
    if as_json:
        emit({"units": units, "remarks": remarks})
        return bool(remarks)
    for unit in units:
        typer.echo("  ".join(f"{field}={word(told)}" for field, told in unit.items()))
    for remark in remarks:
        typer.echo(f"! {remark}", err=True)
    return bool(remarks)


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

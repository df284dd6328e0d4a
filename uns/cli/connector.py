"""`uns run connector NAME` and `uns connector …`."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit, run

connector = typer.Typer(no_args_is_help=True, help="The plant's connectors: what there is, and their ledgers.")
app.add_typer(connector, name="connector")

PlantOption = Annotated[Path | None, typer.Option(help="folder of the plant model (default: UNS_PLANT)")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document")]


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
    import difflib

    from uns.client.connection import connection
    from uns.model.lint import check_connector
    from uns.model.plant import load_plant
    from uns.runners.connector.preview import preview
    from uns.runners.connector.service import serve
    from uns.runtime.settings import settings as of_environment
    from uns.runtime.telemetry import quiet

    settings = of_environment() if dry_run else connection()
    model = load_plant(plant or settings.plant)
    if name not in model.connectors:
        near = difflib.get_close_matches(name, list(model.connectors), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(model.connectors) or 'none'}"
        raise UserError(f"connector {name!r} is not in the plant model; {hint}")
    check_connector(model, name)
    if not dry_run:
        serve(settings, model, name)
        return
    quiet()
    found = preview(settings, model, name, count, wait_s)
    if as_json:
        emit(found)
    for one in found if not as_json else ():
        typer.echo("  ".join(f"{field}={value}" for field, value in one.items()))


@connector.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Connectors of the plant model, and the protocols that are installed."""
    from uns.model.components import CONNECTORS, names
    from uns.model.plant import load_plant
    from uns.runtime.settings import settings

    model = load_plant(plant or settings().plant)
    if as_json:
        emit(
            {
                "connectors": {name: one.protocol for name, one in model.connectors.items()},
                "protocols": names(CONNECTORS),
            }
        )
        return
    for name, one in model.connectors.items():
        typer.echo(f"{name:<24} {one.protocol}")
    typer.echo(f"installed protocols: {', '.join(names(CONNECTORS))}")


@connector.command()
def ledger(as_json: JsonOption = False) -> None:
    """What became of everything that connectors on this machine read. Exit code 1 when a unit is unaccounted for."""
    import dataclasses

    from uns.client.connection import connection
    from uns.runners.connector.ledger import read_ledgers

    found = read_ledgers(connection().state_dir)
    if as_json:
        emit({name: dataclasses.asdict(one) | {"lost": one.lost} for name, one in found.items()})
    for name, one in found.items() if not as_json else ():
        typer.echo(
            f"{name:<20} read {one.read} = published {one.published} + suppressed {sum(one.suppressed.values())} "
            f"+ quarantined {sum(one.quarantined.values())} + dropped {sum(one.dropped.values())} + pending {one.pending}"
            + (f"  LOST {one.lost}" if one.lost else "")
        )
    if any(one.lost for one in found.values()):
        raise typer.Exit(1)

"""`uns init`, `uns lint`, `uns apply`: the plant model from first file to a cluster that matches it."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import JsonOption, PlantArgument, YesOption, which_plant


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="folder to write")] = Path("plant"),
    opcua: Annotated[str | None, typer.Option(help="address of your OPC UA server, opc.tcp://host:port")] = None,
    mqtt: Annotated[str | None, typer.Option(help="address of your MQTT broker, mqtt://host:port")] = None,
    protocol: Annotated[str | None, typer.Option(help="any other protocol, as `uns connector list` names it")] = None,
    url: Annotated[str | None, typer.Option(help="where its source is; a server on this machine by default")] = None,
) -> None:
    """Write a commented plant model for your first machine."""
    from uns.model.components import UnknownComponent
    from uns.model.starter import write

    given = {
        name: address
        for name, address in (("opcua", opcua), ("mqtt", mqtt), (protocol, url))
        if name and (address or name == protocol)
    }
    if len(given) > 1:
        raise UserError("one source to begin with; more are added by `uns connector add`")
    ((chosen, address),) = given.items() or (("opcua", url),)
    try:
        files = write(folder, chosen, address)
    except UnknownComponent as error:
        raise UserError(str(error)) from None
    for file in files:
        typer.echo(f"wrote {file}")
    typer.echo(
        f"\nNext:\n  uns lint {folder}\n  uns up --plant {folder}    # Kafka, registry and all parts of this plant, here\n"
        "  uns tail '#' --class raw   # in another terminal: the values of your machine"
    )


@app.command()
def lint(folder: PlantArgument = None, as_json: JsonOption = False) -> None:
    """Check a plant model: every problem with its file, its line and what to do. Warnings alone do not fail."""
    from uns.model.lint import check
    from uns.runtime.running import environment

    place = which_plant(folder)
    problems, plant = check(place, environment())
    faulty = any(not problem.warning for problem in problems)
    if as_json:
        emit(
            [
                {
                    "file": problem.file,
                    "line": problem.line,
                    "where": problem.where,
                    "message": problem.message,
                    "warning": problem.warning,
                }
                for problem in problems
            ]
        )
    else:
        for problem in problems:
            typer.echo(str(problem))
        if plant is not None and not faulty:
            warned = f"{len(problems)} warning{'s' if len(problems) > 1 else ''}" if problems else "no problems"
            typer.echo(
                f"{place}: {len(plant.cells())} machines, {len(plant.connectors)} connectors, {len(plant.sinks)} sinks; {warned}"
            )
    if faulty:
        raise typer.Exit(1)


@app.command()
def apply(
    folder: PlantArgument = None,
    yes: YesOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan only")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document; acts with --yes only")] = False,
) -> None:
    """Show what the cluster lacks of the plant's topics, schemas and ACLs, and which machines have left it; then make it match.

    The snapshot of a machine that the model no longer names is removed, and so it leaves the screens and mirrors. Its
    history stays.
    """
    from uns.client.connection import connection
    from uns.model.apply import Applier
    from uns.model.plant import load_plant

    settings = connection()
    plant = load_plant(which_plant(folder))
    applier = Applier(settings, plant)
    steps = applier.plan()
    acting = [step for step in steps if step.acts]
    if not as_json:
        for step in steps:
            mark = "-" if step.kind == "remove path" else "+" if step.acts else "!"
            typer.echo(f"  {mark} {step}")
        typer.echo(f"{len(acting)} to do" if acting else "the cluster matches the model")
    taken = 0
    if acting and not dry_run and (yes or not as_json):
        if not yes and not typer.confirm("apply?"):
            raise typer.Exit(1)
        taken = applier.apply(acting)
        if not as_json:
            typer.echo(f"{taken} done")
    if as_json:
        emit(
            {"steps": [{"kind": step.kind, "name": step.name, "detail": step.detail} for step in steps], "taken": taken}
        )
    if any(step.kind == "refused" for step in steps):
        raise typer.Exit(1)

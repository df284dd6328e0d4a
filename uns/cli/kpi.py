"""`uns kpi list | show | lint`: what the shared KPI definitions say, and whether a plant's own are right."""

import os
from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import app, emit

kpi = typer.Typer(no_args_is_help=True, help="KPI definitions: shared, versioned, readable.")
app.add_typer(kpi, name="kpi")

PlantOption = Annotated[Path | None, typer.Option("--plant", help="plant model (default: UNS_PLANT, else ./plant)")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document")]


@kpi.command("list")
def list_(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Definitions: those that are shipped and the plant's own, and where each is from."""
    from uns.kpi import known, summary

    rows = [summary(one) for one in known(_folder(plant), os.environ).values()]
    if as_json:
        emit(rows)
        return
    for row in rows:
        typer.echo(f"{row['definition']:<16} {row['kpis']:>3} KPIs  {row['origin']}")


@kpi.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@V]", help="definition; without version: its highest")],
    kpi_id: Annotated[str | None, typer.Argument(metavar="[KPI]", help="one KPI of it")] = None,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """A definition: time model, formulas, options; or the record of one KPI."""
    from uns.kpi import known, kpi_text, select, select_kpi, summary, text

    one = select(known(_folder(plant), os.environ), name)
    if kpi_id is not None:
        found = select_kpi(one.definition, kpi_id)
        if as_json:
            emit({"definition": one.definition.label, "id": kpi_id, **found.model_dump(mode="json")})
        else:
            typer.echo(kpi_text(kpi_id, found))
    elif as_json:
        emit({**summary(one), **one.definition.model_dump(mode="json")})
    else:
        typer.echo(text(one))


@kpi.command()
def lint(
    path: Annotated[
        Path | None,
        typer.Argument(help="plant folder, or a file with one definition (default: UNS_PLANT, else ./plant)"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check KPI definitions: every problem with its file, its line and what to do. `uns lint` does so too."""
    from uns.kpi import lint as problems_of

    place = _folder(path)
    problems = problems_of(place, os.environ)
    if as_json:
        emit([{"file": one.file, "line": one.line, "where": one.where, "message": one.message} for one in problems])
    else:
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo(f"{place}: no problems with KPI definitions")
    if problems:
        raise typer.Exit(1)


def _folder(path: Path | None) -> Path:
    from uns.settings import settings

    return path or settings().plant

"""`uns toy`: the cells of a plant model, counted."""

import typer

from uns.cli.app import app, emit
from uns.cli.options import JsonOption, PlantOption, which_plant


@app.command()
def toy(plant: PlantOption = None, as_json: JsonOption = False) -> None:
    """Count the work units of the plant model."""
    from uns.model.plant import load_plant

    cells = len(load_plant(which_plant(plant)).cells())
    if as_json:
        emit({"cells": cells})
    else:
        typer.echo(f"{cells} cells")

"""`uns opcua browse`: `uns connector browse opcua` under the name that one looks for."""

from typing import Annotated

import typer

from uns.cli.app import app, group
from uns.cli.browse import CsvOption, show
from uns.cli.options import (
    MOST,
    WAIT_S,
    FiltersOption,
    JsonLinesOption,
    Look,
    MostOption,
    PlantOption,
    SourceOption,
    WaitOption,
)

opcua = group("OPC UA servers.", {"browse": "opcua"})
app.add_typer(opcua, name="opcua")


@opcua.command()
def browse(
    source: Annotated[
        str, typer.Argument(metavar="URL|NAME", help="address of a server, or a connector of the plant model")
    ],
    filters: FiltersOption = None,
    options: SourceOption = None,
    table: CsvOption = None,
    plant: PlantOption = None,
    most: MostOption = MOST,
    wait_s: WaitOption = WAIT_S,
    as_json: JsonLinesOption = False,
) -> None:
    """List the variables of a server, as `uns connector browse opcua` does."""
    show("opcua", source, Look(filters or (), options or (), most, wait_s), table, plant, as_json)

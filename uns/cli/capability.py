"""`uns quality capability`: how well characteristics fit their specification over a stretch of time."""

from typing import Annotated

import typer

from uns.cli.app import UserError, emit
from uns.cli.options import TIMES, JsonOption, PlantOption
from uns.cli.quality import quality


@quality.command()
def capability(
    wanted: Annotated[str, typer.Argument(metavar="[FILTER]", help="MQTT filter over machines")] = "#",
    begin: Annotated[str | None, typer.Option("--from", help=f"begin: beginning, now, {TIMES}")] = None,
    until: Annotated[str | None, typer.Option("--to", help=f"end, excluded: now, {TIMES} (default: now)")] = None,
    file: Annotated[
        str | None,
        typer.Option(help="in place of Kafka: raw records as for `uns fold`, or what `uns fold --json` says"),
    ] = None,
    characteristic: Annotated[
        list[str] | None, typer.Option(help="this one alone; again for more (default: all that have limits)")
    ] = None,
    study: Annotated[
        bool,
        typer.Option("--study", help="values are a short study of the machine alone, pieces in a row: Cm and Cmk"),
    ] = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show Cp, Cpk, Pp, Ppk and Cpm of characteristics with intervals, of a machine study Cm and Cmk, and by quantiles."""
    from processors.analysis.observations import Of
    from schemas.records import Quality
    from uns.cli.drivers import material_of
    from uns.cli.failures import failures_told
    from uns.cli.words import filter_of
    from uns.client.subscribe import NothingMatches
    from uns.reports.quality.capability import capabilities, document, page

    with failures_told(NothingMatches, LookupError):
        material, _, _, _ = material_of(file, filter_of(wanted), Of.VALUE, begin, until, plant)
    points = [one for one in material.of(Quality) if not characteristic or one.characteristic in characteristic]
    found = capabilities(points, study)
    if not found:
        raise UserError(
            f"{wanted}: no characteristic with a specification limit and two values in this time; "
            "state lsl or usl of its tag, or another --from"
        )
    if as_json:
        emit([document(one) for one in found])
    else:
        typer.echo(page(found))

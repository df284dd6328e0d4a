"""`uns kpi compare`: groups of windows compared, with intervals, and whether a difference is more than noise."""

from typing import Annotated

import typer

from uns.cli.app import emit
from uns.cli.kpi import kpi
from uns.cli.options import FilterArgument, JsonOption, PlantOption, UntilOption, from_option


@kpi.command()
def compare(
    kpi_id: Annotated[str, typer.Argument(metavar="KPI", help="e.g. oee; `uns kpi show DEFINITION` lists them")],
    wanted: FilterArgument,
    by: Annotated[str, typer.Option(help="shift | line | site | product | supplier | cell")],
    begin: Annotated[str, from_option("the windows")],
    until: UntilOption = "now",
    window: Annotated[str | None, typer.Option(help="hour | shift | order | day (default: shift, else day)")] = None,
    level: Annotated[
        str | None, typer.Option(help="line | cell | area | site | enterprise (default: lines, else cells)")
    ] = None,
    definition: Annotated[str | None, typer.Option(help="KPI definition, name@version (default: the plant's)")] = None,
    material: Annotated[
        str | None, typer.Option(help="by supplier: of which material, where there are several")
    ] = None,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare one KPI by shift, line, site, product, supplier or cell: counts, intervals, more than noise or not."""
    from processors.analysis.selection import By, Incomparable
    from topology.namespace.path import Level
    from uns.cli.failures import failures_told
    from uns.cli.times import Reader
    from uns.cli.words import choice, filter_of
    from uns.client.connection import codec, connection
    from uns.client.subscribe import NothingMatches
    from uns.model.zones import SiteZones
    from uns.reports.groups import Question, answer, document, page
    from uns.reports.plant import known_to

    places, side = filter_of(wanted), choice("--by", by, {each.value: each for each in By})
    depth = None if level is None else choice("--level", level, {each.name.lower(): each for each in Level})
    settings = connection()
    known = known_to(plant or settings.plant, given=plant is not None)
    start, end = Reader(known.now(settings), SiteZones(known.plant), [places]).between(begin, until)
    question = Question(kpi_id, places, side, start, end, window, depth, definition, material)
    with failures_told(Incomparable, NothingMatches, LookupError):
        comparison = answer(settings, codec(settings), question, known.definitions, known.preferred, known.more)
    if as_json:
        emit(document(comparison))
    else:
        typer.echo(page(comparison))

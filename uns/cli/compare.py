"""`uns kpi compare`: groups of windows compared, with intervals, and whether a difference is more than noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, emit
from uns.cli.kpi import JsonOption, PlantOption, kpi

if TYPE_CHECKING:
    from topology.namespace.path import Level


@kpi.command()
def compare(
    kpi_id: Annotated[str, typer.Argument(metavar="KPI", help="e.g. oee; `uns kpi show DEFINITION` lists them")],
    wanted: Annotated[str, typer.Argument(metavar="FILTER", help="MQTT filter over paths, e.g. 'acme/dallas/#'")],
    by: Annotated[str, typer.Option(help="shift | line | site | product | supplier | cell")],
    begin: Annotated[str, typer.Option("--from", help="beginning, an ISO time with offset, or 8h, 30d ago")],
    until: Annotated[str, typer.Option("--to", help="the same, excluded, or now")] = "now",
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
    from processors.analysis.selection import By
    from topology.namespace.filters import BadFilter, Filter
    from uns.cli.replay import instant
    from uns.client.connection import codec, connection
    from uns.reports.groups import Question, answer, document, page
    from uns.reports.plant import known_to

    with troubles():
        settings = connection()
        known = known_to(plant or settings.plant, given=plant is not None)
        try:
            question = Question(
                kpi_id,
                Filter.parse(wanted),
                By(by),
                instant("--from", begin, known.now(settings)),
                instant("--to", until, known.now(settings)),
                window,
                _level(level),
                definition,
                material,
            )
        except BadFilter as error:
            raise UserError(str(error)) from error
        except ValueError as error:
            hint = f"--by {by}: there are {', '.join(By)}" if "By" in str(error) else str(error)
            raise UserError(hint) from error
        if question.start >= question.end:
            raise UserError(f"--from {begin} is not before --to {until}")
        found = answer(settings, codec(settings), question, known.definitions, known.preferred, known.more)
    if as_json:
        emit(document(found))
    else:
        typer.echo(page(found))


@contextmanager
def troubles() -> Iterator[None]:
    """What keeps us from an answer, as a user's error."""
    from confluent_kafka import KafkaException

    from processors.analysis.selection import Incomparable
    from uns.client.subscribe import NothingMatches
    from uns.registry.client import RegistryUnavailable

    try:
        yield
    except KafkaException as error:
        raise UserError(f"Kafka: {error.args[0].str()}; `uns doctor` looks closer") from error
    except (Incomparable, NothingMatches, LookupError, RegistryUnavailable) as error:
        raise UserError(str(error.args[0])) from error


def _level(name: str | None) -> "Level | None":
    from topology.namespace.path import Level

    if name is None:
        return None
    try:
        return Level[name.upper()]
    except KeyError:
        raise UserError(f"--level {name}: there are {', '.join(one.name.lower() for one in Level)}") from None

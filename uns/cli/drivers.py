"""`uns drivers`: what scrap, first pass yield, downtime, cycle time or a measured value hangs together with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import TIMES, JsonOption, PlantOption

if TYPE_CHECKING:
    from processors.analysis.observations import Of
    from topology.namespace.filters import Filter
    from uns.reports.drivers.answer import Answer
    from uns.reports.drivers.asking import Question
    from uns.reports.drivers.material import Material
    from uns.reports.drivers.table import Columns
    from uns.reports.plant import Known

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")

Wanted = Annotated[str, typer.Argument(metavar="[FILTER]", help="MQTT filter over paths, e.g. 'acme/+/packaging/#'")]
OfOption = Annotated[
    str, typer.Option(help="scrap | fpy | downtime | cycle, or the name of a characteristic (of a table: a column)")
]
Begin = Annotated[str | None, typer.Option("--from", help=f"begin of the history: beginning, now, {TIMES}")]
Until = Annotated[str | None, typer.Option("--to", help=f"end, excluded: now, {TIMES} (default: now)")]
File = Annotated[
    str | None,
    typer.Option(
        help="in place of Kafka: raw records as for `uns fold`, what `uns fold --json` says, or a table (.csv); - for standard input"
    ),
]
Factor = Annotated[list[str] | None, typer.Option(help="look into this factor alone; again for more")]
Stratify = Annotated[
    list[str] | None,
    typer.Option(help="compare within this factor; again for more (default: product, line, machine)"),
]
Nest = Annotated[
    str | None, typer.Option(help="components of variance, factors from the outermost in, e.g. lot,sample")
]
Loss = Annotated[str | None, typer.Option(help="of a table: the column of what is lost")]
Exposure = Annotated[str | None, typer.Option(help="of a table: the column of pieces, or of hours")]
Unit = Annotated[
    str | None,
    typer.Option(
        help="of a table: the column within which rows are no independent evidence, e.g. lot (default: each row)"
    ),
]
Category = Annotated[
    list[str] | None, typer.Option(help="of a table: a column of numbers that are names; again for more")
]
Cost = Annotated[float | None, typer.Option(help="what a piece, a minute of standstill or a second of cycle costs")]
Svg = Annotated[Path | None, typer.Option(help="write the funnel plot of the first driver (or of --factor) there")]
Publish = Annotated[
    bool,
    typer.Option("--publish", help="put it on the namespace as the Driver record of the day that the history ends in"),
]


@app.command()
def drivers(
    wanted: Wanted = "#",
    of: OfOption = "scrap",
    begin: Begin = None,
    until: Until = None,
    file: File = None,
    factor: Factor = None,
    stratify: Stratify = None,
    nest: Nest = None,
    loss: Loss = None,
    exposure: Exposure = None,
    unit: Unit = None,
    category: Category = None,
    cost: Cost = None,
    svg: Svg = None,
    publish: Publish = False,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what a loss hangs together with: factors by their evidence, how much they matter, what they would save."""
    from processors.analysis.distributions import Absent
    from processors.analysis.observations import Of
    from processors.analysis.selection import Incomparable
    from uns.cli.failures import failures_told
    from uns.cli.words import filter_of
    from uns.client.subscribe import NothingMatches
    from uns.kafka.publish import NotPublished
    from uns.reports.drivers.answer import document
    from uns.reports.drivers.asking import Question
    from uns.reports.drivers.page import page
    from uns.reports.drivers.table import Columns

    named = {each.value: each for each in Of if each is not Of.VALUE}
    kind = named.get(of, Of.VALUE)
    question = Question(
        kind,
        wanted,
        characteristic=None if of in named else of,
        factors=tuple(factor or ()),
        strata=None if stratify is None else tuple(stratify),
        nest=tuple(filter(None, (nest or "").split(","))),
        cost=cost,
    )
    places = filter_of(wanted)
    with failures_told(Incomparable, NothingMatches, LookupError, NotPublished, Absent):
        if file is not None and file.endswith(TABLES):
            answer = _of_table(file, question, Columns(loss, exposure, unit, tuple(category or ())))
        else:
            answer, material, known = _of_records(file, places, question, begin, until, plant)
            if publish:
                _publish(answer, places, material, known, file)
    if svg is not None:
        _draw(answer, svg)
    if as_json:
        emit(document(answer))
    else:
        typer.echo(page(answer))


def _of_table(file: str, question: "Question", columns: "Columns") -> "Answer":
    from dataclasses import replace

    from uns.history.file.source import UNREADABLE, lines
    from uns.reports.drivers.asking import of_table

    try:
        with lines(file) as data:
            text = b"".join(data).decode("utf-8-sig")
    except UNREADABLE as error:
        raise UserError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text; save it as UTF-8") from error
    return of_table(replace(question, subject=Path(file).name), text, columns)


def _of_records(
    file: str | None, wanted: "Filter", question: "Question", begin: str | None, until: str | None, plant: Path | None
) -> "tuple[Answer, Material, Known]":
    from dataclasses import replace

    from uns.reports.drivers.asking import of_material

    material, known, start, end = material_of(file, wanted, question.of, begin, until, plant)
    return of_material(replace(question, start=start, end=end), material, known), material, known


def material_of(
    file: str | None, wanted: "Filter", of: "Of", begin: str | None, until: str | None, plant: Path | None
) -> "tuple[Material, Known, int, int]":
    """Records and facts from Kafka or of a file, what is known of the plant, and the history's begin and end (µs)."""
    from uns.cli.times import FOREVER_US, Reader
    from uns.client.connection import codec, connection
    from uns.model.zones import SiteZones
    from uns.reports.drivers.material import from_topics
    from uns.reports.plant import known_to
    from uns.runtime.running import effective_settings

    settings = connection() if file is None else effective_settings()
    folder = plant or settings.plant
    known = known_to(folder, given=plant is not None)
    reader = Reader(known.now(settings), SiteZones(known.plant), [wanted])
    if file is None:
        if begin is None:
            raise UserError("--from is missing: where the history begins, e.g. --from 28d")
        start, end = reader.between(begin, until or "now")
        return from_topics(settings, codec(settings), wanted, of, start, end), known, start, end
    start = 0 if begin is None else reader.instant("--from", begin)
    end = FOREVER_US if until is None else reader.instant("--to", until)
    material = _of_file(file, folder, wanted, start, end)
    if material.records:
        start = max(start, min(record.started_at for record in material.records))
        end = min(end, max(record.ended_at or record.started_at for record in material.records))
    return material, known, start, end


def _of_file(file: str, folder: Path, wanted: "Filter", start: int, end: int) -> "Material":
    from uns.history.file.source import UNREADABLE, lines
    from uns.model.plant import load_plant
    from uns.reports.drivers.material import from_lines

    try:
        with lines(file) as data:
            material = from_lines(data, lambda: load_plant(folder), wanted, start, end)
    except UNREADABLE as error:
        raise UserError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for refused in material.refused[:REFUSED_SHOWN]:
        typer.echo(f"uns: line {refused.line}: {refused.reason}: {refused.message}", err=True)
    if len(material.refused) > REFUSED_SHOWN:
        typer.echo(f"uns: {len(material.refused) - REFUSED_SHOWN} more were refused; `uns fold` shows all", err=True)
    return material


REFUSED_SHOWN = 20


def _publish(answer: "Answer", wanted: "Filter", material: "Material", known: "Known", file: str | None) -> None:
    from datetime import timedelta

    from schemas.text import micros_of
    from uns.client.connection import codec, connection
    from uns.model.zones import SiteZones, local
    from uns.reports.drivers.daily import place, publish, record

    if file is not None:
        raise UserError(
            "--publish goes with records from Kafka, not with a file: nobody could follow where they came from"
        )
    assert answer.end is not None
    try:
        zone = SiteZones(known.plant).at(place(wanted))
    except ValueError as error:
        raise UserError(str(error)) from error
    midnight = local(answer.end - 1, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    day: Any = micros_of(midnight), micros_of(midnight + timedelta(days=1))
    settings = connection()
    written = publish(settings, codec(settings), record(answer, wanted, day, material.records), wanted)
    words = "nothing new to publish" if written is None else f"published {written.id} ({written.status})"
    typer.echo(words, err=True)


def _draw(answer: "Answer", target: Path) -> None:
    from uns.reports.drivers.plot import svg

    found = next((finding for finding in answer.drivers.findings if finding.funnel is not None), None)
    if found is None or found.funnel is None:
        typer.echo("uns: no factor has a funnel: it takes two levels and some loss", err=True)
        return
    outcome = answer.outcome
    title = f"{answer.words} by {found.factor}, {answer.subject}"
    spread = found.test.dispersion if outcome.kind == "mean" else 1.0
    target.write_text(
        svg(found.funnel, outcome.kind, title, outcome.value_unit, outcome.exposure_unit, spread), encoding="utf-8"
    )
    print(f"uns: {target} has the funnel of {found.factor}", file=sys.stderr)

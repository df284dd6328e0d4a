"""`uns audit`: what a number rests on, down to the raw records."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uns.cli.app import UserError, app, emit
from uns.cli.options import JsonOption, PlantOption

if TYPE_CHECKING:
    from schemas.codec import Codec
    from uns.history.audit.gathering import PlantRules
    from uns.history.audit.result import Audit
    from uns.history.audit.subject import Subject
    from uns.history.audit.trail import Progress
    from uns.history.logs import Logs
    from uns.runtime.settings import Settings

DIFFERENT = 1


@app.command()
def audit(
    record: Annotated[
        str, typer.Argument(metavar="ID", help="id of a derived record, with or without revision; or a path")
    ],
    message_class: Annotated[
        str | None, typer.Argument(metavar="[CLASS]", help="after a path: class or kind, e.g. oee or oee.hour")
    ] = None,
    moment: Annotated[
        str | None,
        typer.Argument(
            metavar="[TIME]", help="after a class: an ISO time that it holds (without offset: the site's time)"
        ),
    ] = None,
    raw: Annotated[
        int, typer.Option("--raw", min=0, help="list so many raw records that touch it, decoded", show_default=True)
    ] = 0,
    deep: Annotated[bool, typer.Option("--deep", help="audit the parts of a roll-up, and theirs")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="replay the raw partition: is it the same, byte for byte? Exit code 1: no")
    ] = False,
    back: Annotated[
        str, typer.Option(help="how long before its begin facts may have been told, e.g. 12h or 30d")
    ] = "8d",
    most: Annotated[int, typer.Option("--show", min=1, help="rows of the table of time; --json has all")] = 40,
    plant: PlantOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a number rests on: its revisions and their causes, its definition with the numbers filled in, its raw inputs."""
    from uns.cli.failures import failures_told
    from uns.cli.replay import progress_bar
    from uns.cli.times import span_s
    from uns.client.connection import codec, connection
    from uns.history.audit.document import document
    from uns.history.audit.finding import NotFound
    from uns.history.audit.gathering import Asked, Auditor
    from uns.history.audit.page import page
    from uns.history.logs import Logs

    settings = connection()
    model = _model(plant or settings.plant, needed=verify)
    asked = Asked(raw, round(span_s("--back", back) * 1000), deep)
    equal = True
    with failures_told(NotFound):
        records = codec(settings)
        with Logs(settings) as logs, progress_bar() as progress:
            wanted = _subject(logs, records, model, record, message_class, moment)
            told = Auditor(logs, records, model, asked, progress).audit(wanted)
            if verify:
                equal = _verify(settings, logs, records, model, told, progress)
    if as_json:
        emit(document(told))
    else:
        typer.echo(page(told, most))
    if not equal:
        raise typer.Exit(DIFFERENT)


def _subject(
    logs: "Logs", codec: "Codec", model: "PlantRules", text: str, message_class: str | None, moment: str | None
) -> "Subject":
    """Raises `UserError` and `NotFound`."""
    from topology.namespace.filters import Filter
    from uns.cli.times import Reader
    from uns.cli.words import path_of
    from uns.history.audit.finding import at
    from uns.history.audit.subject import BadId, kind_of, subject
    from uns.model.zones import SiteZones
    from uns.runtime import clock

    try:
        if message_class is None:
            return subject(text)
        if moment is None:
            raise UserError(f"{text} {message_class}: a time is missing; write PATH CLASS TIME, or the record's id")
        kind = kind_of(message_class)
    except BadId as error:
        raise UserError(str(error)) from error
    place = path_of(text)
    reader = Reader(clock.system(), SiteZones(model.plant), [Filter(place.segments)])
    return at(logs, codec, place, kind, reader.moment("TIME", moment))


def _model(folder: Path, needed: bool) -> "PlantRules":
    """The plant's definitions; only the shipped ones where there is no plant here. Raises `UserError`."""
    from uns.history.audit.gathering import PlantRules
    from uns.model.kpi import known
    from uns.model.plant import load_plant
    from uns.runtime.running import environment

    definitions = known(folder, environment())
    if not folder.exists():
        if needed:
            raise UserError(
                f"--verify needs the plant model that the processors run: no {folder}; --plant or UNS_PLANT"
            )
        return PlantRules(definitions)
    plant = load_plant(folder)
    return PlantRules(definitions, plant, round(plant.time.lateness_s * 1_000_000))


def _verify(
    settings: "Settings", logs: "Logs", codec: "Codec", model: "PlantRules", audit: "Audit", progress: "Progress"
) -> bool:
    from topology.namespace.classes import MessageClass
    from topology.namespace.path import Level
    from uns.history.audit.verify import verify

    assert model.plant is not None
    if audit.subject.message_class is MessageClass.PILOT:
        raise UserError(
            "--verify replays raw partitions, and no replay says a pilot: ask it for the Kpi records it rests on"
        )
    if audit.subject.path.level < Level.CELL:
        raise UserError("--verify replays machines' raw partitions: ask it for the parts of a roll-up")
    plant = model.plant.model_copy(
        update={"kpi": model.plant.kpi.model_copy(update={"definition": audit.record.definition})}
    )

    def passed(done: int, total: int) -> None:
        progress("replay", done, total)

    return verify(settings, logs, codec, plant, audit.revisions, passed)

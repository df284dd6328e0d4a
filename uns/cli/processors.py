"""`uns run processors`: one worker slot of the engine over all lines of the plant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from uns.cli.app import run
from uns.cli.options import PlantOption

if TYPE_CHECKING:
    from uns.runtime.settings import Settings

WORKERS_MAX = 64
SlotOption = Annotated[
    int | None, typer.Option(min=0, help="number of this worker; each running worker needs its own. None: 0")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=WORKERS_MAX,
        help="how many workers, a process and a slot each: at most one a partition works. None: one with --slot, else "
        "one a core, as far as there are partitions",
    ),
]


@run.command()
def processors(
    plant: PlantOption = None,
    slot: SlotOption = None,
    workers: WorkersOption = None,
) -> None:
    """Fold raw into state, production, downtime, OEE and quality, exactly once. SIGTERM stops it cleanly."""
    from processors.line import LineFold
    from schemas.records import TYPES
    from topology.namespace.classes import MessageClass
    from topology.namespace.topics import topic
    from uns.cli.app import fail
    from uns.client.connection import codec, connection
    from uns.engine.calendar import ShiftPlan
    from uns.engine.config import EngineConfig
    from uns.engine.service import serve
    from uns.engine.topics import check_topics
    from uns.engine.worker import Worker
    from uns.model.plant import load_plant
    from uns.registry.client import RegistryUnavailable
    from uns.runtime.clock import from_spec
    from uns.runtime.cores import cores

    settings, config = connection(), EngineConfig()
    model = load_plant(plant or settings.plant)
    topics = [topic(area, MessageClass.RAW) for area in model.areas()]
    if not topics:
        fail(f"{plant or settings.plant}: the plant has no areas, there is nothing to process")
    if problems := check_topics(settings, topics):
        fail("\n".join(problems))
    partitions = sum(model.areas().values())
    if workers is None:
        workers = 1 if slot is not None else min(cores(), partitions, WORKERS_MAX)
    if workers > 1:
        _crew(settings, plant or settings.plant, slot or 0, workers, partitions)
    records = codec(settings, TYPES.values())
    serve(
        settings,
        lambda: Worker(
            settings,
            config,
            topics,
            lambda name, partition: LineFold(model, name, partition),
            records,
            group=config.group or f"uns-processors-{model.enterprise}",
            slot=slot or 0,
            clock=from_spec(settings.clock),
            tick_s=model.time.tick_s,
            retry_on=(RegistryUnavailable,),
            shifts=ShiftPlan(model).shifts,
        ),
    )


def _crew(settings: "Settings", plant: Path, first: int, workers: int, partitions: int) -> NoReturn:
    import structlog

    from uns.cli.app import stop_on_sigterm
    from uns.engine.crew import Crew
    from uns.runtime import telemetry

    telemetry.configure_logs(settings)
    if workers > partitions:
        structlog.get_logger().warning(
            "some workers will have nothing to do",
            workers=workers,
            partitions=partitions,
            do="raise `partitions` of an area in the plant model; a line stays in one",
        )
    stop_on_sigterm()
    raise typer.Exit(Crew(settings, plant, first, workers).run())

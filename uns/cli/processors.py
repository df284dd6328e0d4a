"""`uns run processors`: one worker slot of the engine over all lines of the plant."""

from pathlib import Path
from typing import Annotated

import typer

from uns.cli.app import run


@run.command()
def processors(
    plant: Annotated[Path | None, typer.Option(help="Folder of the plant model (default: UNS_PLANT).")] = None,
    slot: Annotated[int, typer.Option(min=0, help="Number of this worker; each running worker needs its own.")] = 0,
) -> None:
    """Folds raw into state, production, downtime, OEE and quality, exactly once. SIGTERM stops it cleanly."""
    from processors.line import LineFold
    from topology.classes import MessageClass
    from topology.topics import topic
    from uns.cli.app import fail
    from uns.clock import from_spec
    from uns.connection import codec, connection
    from uns.engine.calendar import ShiftPlan
    from uns.engine.config import EngineConfig
    from uns.engine.service import serve
    from uns.engine.worker import Worker, check_topics
    from uns.plant import load_plant
    from uns.registry.client import RegistryUnavailable

    settings, config = connection(), EngineConfig()
    model = load_plant(plant or settings.plant)
    topics = [topic(area, MessageClass.RAW) for area in model.areas()]
    if not topics:
        fail(f"{plant or settings.plant}: the plant has no areas, there is nothing to process")
    if problems := check_topics(settings, topics):
        fail("\n".join(problems))
    records = codec(settings)
    serve(
        settings,
        lambda: Worker(
            settings,
            config,
            topics,
            lambda name, partition: LineFold(model, name, partition),
            records,
            group=config.group or f"uns-processors-{model.enterprise}",
            slot=slot,
            clock=from_spec(settings.clock),
            tick_s=model.time.tick_s,
            retry_on=(RegistryUnavailable,),
            shifts=ShiftPlan(model).shifts,
        ),
    )

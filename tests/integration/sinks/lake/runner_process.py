"""A runner with a lake in a process of its own, to be killed: ARGS: bootstrap registry enterprise folder."""

import asyncio
import sys
from pathlib import Path

from schemas.records import TYPES
from sinks.lake import spec
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from uns.client.connection import codec
from uns.runners.sink.runner import SinkRunner
from uns.runners.sink.source import SinkSource
from uns.runtime.settings import Settings

COMMIT_S = 0.3


def main(bootstrap: str, registry: str, enterprise: str, folder: str) -> None:
    cells = {"filler": "filler"}
    plant = Plant.model_validate(
        {
            "namespace": {
                "enterprise": enterprise,
                "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": cells}}}}}},
            },
            "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
        }
    )
    settings = Settings(bootstrap=bootstrap, registry=registry, state_dir=Path(folder) / "state")
    subscribe = Subscribe(filter=f"{enterprise}/#", classes=[MessageClass.RAW, MessageClass.DOWNTIME])
    source = SinkSource(
        settings, plant, subscribe, f"{enterprise}-lake", f"{enterprise}-lake", codec(settings, TYPES.values())
    )
    config = spec.config.model_validate({"url": f"{folder}/lake", "commit_s": COMMIT_S})
    asyncio.run(SinkRunner("lake", spec.build("lake", config, Path(folder)), source).run())


if __name__ == "__main__":
    main(*sys.argv[1:])

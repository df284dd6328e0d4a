"""A plant model that changes under a running connector: read anew, checked, and gone on by; what is wrong is refused."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from topology.model.loader import files_of
from topology.model.plant import Plant
from uns.errors import UserError
from uns.model.lint import check_connector
from uns.model.plant import load_plant
from uns.runners.connector.runner import ConnectorRunner
from uns.runners.connector.source import Setup

log = structlog.get_logger()

LOOK_S = 1.0
"""How often the files are looked at. A change counts once it has been still for so long: an editor writes in parts."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""By which a change of the files is seen: name, inode, size, time."""


class Reloading:
    """`run` beside the runner until it is cancelled. The model that runs goes on until another one is right."""

    def __init__(self, folder: Path, plant: Plant, runner: ConnectorRunner, setup: Callable[[Plant], Setup]) -> None:
        self._folder, self._plant, self._runner, self._setup = folder, plant, runner, setup
        self._seen = _stamp(folder)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reads it now, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        still = self._seen
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            now = await asyncio.to_thread(_stamp, self._folder)
            changed, still = now == still != self._seen, now
            if changed or self._asked.is_set():
                self._asked.clear()
                self._seen = now
                await self._reload()

    async def _reload(self) -> None:
        runner = self._runner
        try:
            plant = await asyncio.to_thread(self._checked)
        except UserError as error:
            runner.model_problem = f"the changed plant model is refused, the one before goes on: {error}"
            log.error("plant model refused", connector=runner.name, why=str(error))
            return
        runner.model_problem = None
        if plant == self._plant:
            return
        self._plant = plant
        anew = await runner.reload(self._setup(plant))
        log.info("plant model read anew", connector=runner.name, source="opened anew" if anew else "goes on")

    def _checked(self) -> Plant:
        """Raises `UserError` for a model by which this connector cannot go on."""
        plant, name = load_plant(self._folder), self._runner.name
        if name not in plant.connectors:
            raise UserError(f"it has no connector {name!r} any more; stop this process if it is not wanted")
        check_connector(plant, name)
        if moved := [path for path, count in self._plant.areas().items() if plant.areas().get(path, count) != count]:
            raise UserError(f"the partitions of {moved[0]} have changed: run `uns apply`, then start this process anew")
        return plant


def _stamp(folder: Path) -> Stamp:
    found = []
    for file in files_of(folder):
        with suppress(OSError):  # it goes as we look
            said = file.stat()
            found.append((file.name, said.st_ino, said.st_size, said.st_mtime_ns))
    return tuple(found)

"""Runs a files connector over a folder until it has said what is waited for."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from connectors.base import Batch, Position
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector
from tests.harness.heard import Heard
from uns.testing.connectors import keep
from uns.testing.patience import patient

PLACE = "acme/dallas/packaging/line-1/filler"
LONG: dict[str, Any] = {"row": "long", "path": PLACE, "at": "at", "tag": "{tag}", "value": "value"}


class Driver:
    """One folder, one cursor; each `read` is a connector of its own, as after a restart."""

    def __init__(self, folder: Path, *entries: dict[str, Any], **options: Any) -> None:
        self.folder = folder / "in"
        self.folder.mkdir(exist_ok=True)
        self.config = FilesConfig.model_validate(
            {"folder": str(self.folder), "poll_s": 0.02, "files": entries, **options}
        )
        self.cursor: dict[str, Position] = {}

    def write(self, name: str, data: bytes | str, mode: str = "ab") -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        with file.open(mode) as out:
            out.write(data.encode() if isinstance(data, str) else data)

    def read(
        self,
        done: Callable[[Heard], bool] = lambda read: False,
        safe: Callable[[Batch], bool] = lambda batch: True,
        meanwhile: Callable[[Heard], object] = lambda read: None,
        problem: str | None = None,
        idle_s: float | None = None,
    ) -> Heard:
        """Until `done`, or until a problem with these words is named; or for a while in which nothing else may come."""
        return asyncio.run(self._read(done, safe, meanwhile, problem, idle_s))

    async def _read(
        self,
        done: Callable[[Heard], bool],
        safe: Callable[[Batch], bool],
        meanwhile: Callable[[Heard], object],
        problem: str | None,
        idle_s: float | None,
    ) -> Heard:
        connector, read = FilesConnector("test", self.config), Heard()
        connector.resume_at(dict(self.cursor))
        await connector.open({})

        async def take() -> None:
            async with aclosing(connector.batches()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    read.batches.append(batch)
                    if safe(batch):
                        keep(self.cursor, batch)
                    meanwhile(read)

        task = asyncio.create_task(take())
        try:
            async with asyncio.timeout(idle_s if idle_s is not None else patient(20)):
                while not done(read) and not (problem and any(problem in told for told in connector.problems())):
                    if task.done():
                        await task
                    await asyncio.sleep(0.01)
        except TimeoutError:
            if idle_s is None:
                raise AssertionError(f"said {str(read.said)[:2000]}, problems {connector.problems()}") from None
        finally:
            task.cancel()
            await asyncio.wait([task])
            await connector.close()
        return read


def lines(first: int, last: int) -> str:
    """Rows of a log: values first … last - 1, a second each."""
    return "".join(
        f"2026-11-23T{6 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,State,{n}\n" for n in range(first, last)
    )


HEADER = "at,tag,value\n"

"""A share that hangs: it is noticed, it holds up nobody's end, and one thread waits for it, not one more at each try."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.base import SourceUnavailable
from connectors.files import folder as folders
from connectors.files.connector import FilesConnector
from connectors.kit.worker import Worker
from tests.unit.connectors.files.driver import HEADER, LONG, Driver, lines
from uns.testing.patience import patient


def test_a_share_that_hangs_is_away_until_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(tmp_path, {**LONG, "pattern": "*.csv"}, timeout_s=0.2)
    driver.write("log.csv", HEADER + lines(0, 2))
    answers, scanned = threading.Event(), folders._scanned

    def hanging(*arguments: Any) -> Any:
        answers.wait(60)
        return scanned(*arguments)

    monkeypatch.setattr(folders, "_scanned", hanging)

    async def go() -> None:
        connector = FilesConnector("test", driver.config)
        await connector.open({})
        with pytest.raises(SourceUnavailable, match=r"no answer within 0\.2 s"):
            await anext(aiter(connector.batches()))
        assert not connector.healthy()
        await connector.close()
        threads = threading.active_count()
        for _ in range(3):
            with pytest.raises(SourceUnavailable, match="still does not answer"):
                await connector.open({})
            await connector.close()
        assert threading.active_count() == threads
        answers.set()
        deadline = time.monotonic() + patient(20)
        while True:
            try:
                await connector.open({})
                break
            except SourceUnavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
        assert len((await anext(aiter(connector.batches()))).readings) == 2
        await connector.close()

    asyncio.run(go())


def test_a_worker_gives_back_what_is_returned_and_raised_and_may_be_left_waiting() -> None:
    async def go() -> None:
        worker, go_on = Worker("test"), threading.Event()
        assert await worker.run(lambda: 1) == 1
        with pytest.raises(KeyError):
            await worker.run({}.__getitem__, "x")
        hung = asyncio.create_task(worker.run(go_on.wait, 60))
        await asyncio.sleep(0)
        hung.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hung
        assert worker.busy
        behind = asyncio.create_task(worker.run(lambda: 2))
        go_on.set()
        assert await behind == 2
        assert not worker.busy
        worker.close()
        worker.close()
        with pytest.raises(RuntimeError):
            await worker.run(lambda: 3)

    asyncio.run(go())

"""Tasks end, even such as take a cancellation for nothing."""

import asyncio
from contextlib import suppress

import pytest

from connectors.kit.tasks import ended


@pytest.mark.parametrize("swallowed", range(3))
def test_a_task_that_swallows_cancellations_ends(swallowed: int) -> None:
    async def stubborn() -> None:
        for _ in range(swallowed):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def go() -> bool:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await ended([task])
        return task.cancelled()

    assert asyncio.run(go())


def test_what_has_ended_is_left_alone() -> None:
    async def fails() -> None:
        raise ValueError

    async def go() -> BaseException | None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        await ended([task])
        await ended([])
        return task.exception()

    assert isinstance(asyncio.run(go()), ValueError)

"""Tasks that a connector has beside it, and their end."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 0.1


async def ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels them, again and again until they have ended: a library may swallow a cancellation, as `asyncio.wait_for` of
    Python 3.11 does when what it waits for has just come. What they raise is of no interest.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)

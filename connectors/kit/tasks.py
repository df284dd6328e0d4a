"""Tasks that a connector has beside it, and their end."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 0.5
"""What a task still does once it is cancelled must fit, for the next cancellation would interrupt it."""


async def ended(tasks: Collection[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancels them, again every `again_s` until they have ended: a library may swallow a cancellation, as `asyncio.wait_for`
    of Python 3.11 does when what it waits for has just come. What they raise is of no interest.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # or asyncio tells that nobody asked

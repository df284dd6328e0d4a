"""The stream of a subscription: server-sent events, at most once; a new one ends the one before it in order."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from uns.i3x.answers import event
from uns.i3x.server import Server
from uns.i3x.subscriptions import Subscription, as_json

KEEP_ALIVE_S = 15.0
"""So often a silent stream says that it is there: a proxy closes one that says nothing."""
AT_ONCE = 1_000
"""Updates in one event."""


def stream(server: Server, find: Callable[[], Subscription], loop: asyncio.AbstractEventLoop) -> StreamingResponse:
    """The answer that goes on. `find`: the subscription that was asked for, under the lock; raises `Refused`."""
    mine, come = object(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(come.set)

    with server.lock:
        subscription = find()
        before = subscription.wake
        subscription.stream, subscription.wake = mine, wake
    if before is not None:
        before()
    events = _events(server, subscription, mine, come)
    return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _events(
    server: Server, subscription: Subscription, mine: object, come: asyncio.Event
) -> AsyncIterator[bytes]:
    try:
        yield b": open\n\n"
        while True:
            come.clear()
            with server.lock:
                if subscription.stream is not mine:
                    return
                subscription.touched = server.clock_s()
                updates = subscription.drained()
            for first in range(0, len(updates), AT_ONCE):
                yield event(as_json(updates[first : first + AT_ONCE]))
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await come.wait()
            except TimeoutError:
                yield b": still here\n\n"
    finally:
        with server.lock:
            if subscription.stream is mine:
                subscription.stream = subscription.wake = None
                subscription.touched = server.clock_s()

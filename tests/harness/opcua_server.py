"""An OPC UA server beside the test, in a thread of its own: for commands, which have a loop of their own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from asyncua import Server, ua

from uns.runtime.ports import free_port
from uns.testing.patience import patient


@contextmanager
def serving(build: Callable[[Server], Awaitable[None]]) -> Iterator[str]:
    """The address of a server with what `build` puts in."""
    url = f"opc.tcp://127.0.0.1:{free_port()}"
    loop, ready, failed = asyncio.new_event_loop(), threading.Event(), list[BaseException]()
    over = asyncio.Event()

    async def serve() -> None:
        server = Server()
        await server.init()
        server.set_endpoint(url)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await build(server)
        async with server:
            ready.set()
            await over.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(patient(60))
        assert not failed, failed
        yield url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(patient(30))
        loop.close()

"""One thread for calls that block, of a library or of a file system: one call at a time, and it holds up no exit."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """`run` from one event loop. A call that hangs hangs alone: who waits can be cancelled or run into a time-out, and the
    thread ends with the process. Until it comes back the worker is `busy`, and a further call waits behind it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._running = 0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a call has not come back yet."""
        return self._running > 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What the function returns or raises, from the thread. Begins the thread at the first call."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            self._running -= 1
            if answer.done():  # nobody waits any more
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def call() -> None:
            result, error = None, None
            try:
                result = function(*arguments)
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        if self._closed:
            raise RuntimeError(f"worker {self._name} is closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._running += 1
        self._calls.put(call)
        return await answer

    def post(self, function: Callable[[], None]) -> None:
        """Has the function called behind what waits, and waits for nothing. What it raises is of no interest."""

        def call() -> None:
            with suppress(Exception):
                function()

        self._calls.put(call)

    def close(self) -> None:
        """The thread ends after the calls that it has. May be called twice."""
        self._closed = True
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

"""A wire whose library blocks: it is called in a thread of its own, one call at a time, and nobody waits longer than said."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from connectors.kit.polling.wire import Silent, WireLost
from connectors.kit.worker import Worker


class BlockingWire(ABC):
    """`_connect`, `_read` and `_hang_up` are called in the thread. They raise `Silent`, `WireLost`, and what `Wire.ask` raises."""

    def __init__(self, url: str, timeout_s: float, connect_timeout_s: float) -> None:
        self._url, self._timeout_s, self._connect_timeout_s = url, timeout_s, connect_timeout_s
        self._worker = Worker(url)
        self._open = False

    @abstractmethod
    def _connect(self) -> None: ...

    @abstractmethod
    def _read(self, items: Any) -> Any: ...

    @abstractmethod
    def _hang_up(self) -> None: ...

    async def open(self) -> None:
        """Raises `WireLost`."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._worker.run(self._connect)
        except TimeoutError:
            raise WireLost(f"{self._url} cannot be reached: no answer within {self._connect_timeout_s:g} s") from None
        except Silent as silent:
            raise WireLost(f"{self._url} cannot be reached: {silent}") from None
        self._open = True

    def check(self) -> None:
        """Raises `WireLost` when it was closed; that the other side has closed it, a request finds out."""
        if not self._open:
            raise WireLost(f"{self._url}: closed")

    async def ask(self, items: Any) -> Any:
        self.check()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._worker.run(self._read, items)
        except TimeoutError:
            raise Silent(f"no answer within {self._timeout_s:g} s") from None

    def close(self) -> None:
        """What runs ends by itself; then the connection is closed."""
        self._open = False
        self._worker.post(self._hang_up)
        self._worker.close()

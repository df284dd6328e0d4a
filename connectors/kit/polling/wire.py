"""What a connection to a device may come to, whatever it speaks."""

from typing import Any, Protocol


class WireLost(Exception):
    """The connection cannot be made or has ended; says why."""


class Silent(Exception):
    """No answer has come in time."""


class Refused(Exception):
    """The device, or the gateway before it, answered with an error."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Garbled(Exception):
    """What came is no answer to the request; `heard` is all of it."""

    def __init__(self, reason: str, message: str, heard: bytes) -> None:
        super().__init__(message)
        self.reason, self.heard = reason, heard


class Wire(Protocol):
    """One connection: `open` it once, then `ask`, one at a time; `close` may be called at any time."""

    async def open(self) -> None:
        """Raises `WireLost`."""
        ...

    def check(self) -> None:
        """Raises `WireLost` when the connection has ended."""
        ...

    async def ask(self, request: Any, /) -> Any:
        """Raises `Silent`, `Refused`, `Garbled`, `WireLost`."""
        ...

    def close(self) -> None: ...

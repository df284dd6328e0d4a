"""What a person wishes of a connector or sink on this machine: to be paused, to begin anew. A file in the part's own folder,
beside its spool or ledger: it outlives the part, whoever starts it, and needs neither Kafka nor the part to be there.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

log = structlog.get_logger()

FILE = "wish.json"
LOOK_S = 1.0
PAUSED = "paused, as was wished; resume it to go on"
"""What a paused part says of itself."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`restarts` counts the wishes to begin anew: one that is greater than at the part's start has come since."""

    paused: bool = False
    restarts: int = 0
    at: int = 0
    """When it was wished, µs UTC."""


def read(folder: Path) -> Wish:
    """Of a part's folder; nothing wished where there is no file, or one that cannot be read, which is logged."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Wish)
    except FileNotFoundError:
        return Wish()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("the wish for a part cannot be read", file=str(folder / FILE), error=str(error))
        return Wish()


def write(folder: Path, paused: bool | None = None, restart: bool = False) -> Wish:
    """Changes a wish; who reads sees the old one or the new one. Raises `OSError`."""
    old = read(folder)
    new = Wish(
        paused=old.paused if paused is None else paused,
        restarts=old.restarts + restart,
        at=time.time_ns() // 1000,
    )
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{FILE}.{os.getpid()}"
    fresh.write_bytes(msgspec.json.encode(new))
    os.replace(fresh, folder / FILE)
    return new


async def obeyed(folder: Path, pause: Callable[[bool], None], again: Callable[[], None]) -> None:
    """Calls `pause` at once and at each change, and `again` once as a new beginning is wished. Until it is cancelled."""
    first = known = await asyncio.to_thread(read, folder)
    pause(known.paused)
    while True:
        await asyncio.sleep(LOOK_S)
        wish = await asyncio.to_thread(read, folder)
        if wish.paused != known.paused:
            log.warning("paused" if wish.paused else "resumed", folder=str(folder))
            pause(wish.paused)
        known = wish
        if wish.restarts > first.restarts:
            log.warning("begins anew, as was wished", folder=str(folder))
            again()
            return


def begin_anew() -> None:
    """This process, from its first line on, with its number, arguments and environment: no supervisor is needed for it."""
    os.execv(sys.executable, [sys.executable, "-m", "uns", *sys.argv[1:]])

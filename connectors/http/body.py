"""A request's body, read piece by piece and never beyond its limits, packed ones included."""

import asyncio
import zlib

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

GZIP = 31
"""zlib's word for 32 KiB windows in gzip's frame."""
FRAME_BYTES = 1_000
"""What a packed body may be longer than the unpacked may: text that does not pack gets a little longer by it."""

MEMBERS_MAX = 1_000
"""Of one body: each costs as much as copying what is behind it."""


async def read_body(request: Request, bytes_max: int, timeout_s: float) -> bytes:
    """The body, unpacked. Raises `HTTPException` that says what is wrong with it."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(request, bytes_max)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {timeout_s:g} s; nothing was taken") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early; nothing was taken") from None
    except zlib.error:
        words = (
            f"the body is not gzip, as content-encoding says, or has more than {MEMBERS_MAX} members; nothing was taken"
        )
        raise HTTPException(400, words) from None


async def _read(request: Request, bytes_max: int) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise HTTPException(415, "content-encoding is gzip or none")
    gzip = Gunzip(bytes_max) if encoding == "gzip" else None
    came_max = bytes_max if gzip is None else bytes_max + FRAME_BYTES
    body = bytearray()
    came = 0
    async for chunk in request.stream():
        came += len(chunk)  # packed: of nothing, empty blocks make any number of bytes
        if gzip is None:
            body += chunk
        elif came <= came_max:
            gzip.take(chunk)
        if came > came_max or (gzip is not None and len(gzip.body) > bytes_max):
            raise HTTPException(413, f"the body has more than {bytes_max} bytes; post it in parts. Nothing was taken")
    if gzip is None:
        return bytes(body)
    if not gzip.whole:
        raise HTTPException(400, "the gzip body ends early; nothing was taken")
    return bytes(gzip.body)


class Gunzip:
    """What gzip packed, in one member or in several, one behind the other (RFC 1952). `body` never has more than one byte
    beyond its limit: a bomb is not unpacked."""

    def __init__(self, bytes_max: int) -> None:
        self.body = bytearray()
        self._bytes_max = bytes_max
        self._members = 1
        self._unpack = zlib.decompressobj(GZIP)

    @property
    def whole(self) -> bool:
        """Whether the last member has come to its end."""
        return self._unpack.eof

    def take(self, chunk: bytes) -> None:
        """Raises `zlib.error` for what is not gzip, or has too many members."""
        while chunk and len(self.body) <= self._bytes_max:
            if self._unpack.eof:
                self._next()
            self.body += self._unpack.decompress(chunk, self._bytes_max + 1 - len(self.body))
            chunk = self._unpack.unused_data or self._unpack.unconsumed_tail

    def _next(self) -> None:
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise zlib.error
        self._unpack = zlib.decompressobj(GZIP)

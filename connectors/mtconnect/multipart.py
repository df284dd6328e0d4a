"""The endless multipart answer of a streaming agent, chunk by chunk: each part as soon as it is whole. Pure."""

import re
from collections.abc import Iterator

HEADERS_MAX_BYTES = 8_192
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})"?', re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADERS_END = re.compile(rb"\r?\n\r?\n")


class BadStream(ValueError):
    """What comes is no multipart stream, or a part is larger than is read; what follows cannot be told apart."""


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a content type names; None of what is no multipart."""
    if not content_type.strip().lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    return found[1].encode("latin-1", "replace") if found else None


class Multipart:
    """Holds at most one part that is not yet whole."""

    def __init__(self, boundary: bytes, part_max_bytes: int) -> None:
        # Some agents put the dashes into the boundary that they announce.
        self._mark = boundary if boundary.startswith(b"--") else b"--" + boundary
        self._max = part_max_bytes
        self._held = bytearray()
        self._looked = 0
        """Bytes held in which the end of the part was looked for already."""
        self._length: int | None = None
        """Of a part whose headers are read; -1: it goes to the next boundary."""
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The parts that this chunk completes. Raises `BadStream`."""
        self._held += chunk
        while not self.ended:
            part = self._headers() if self._length is None else self._part(self._length)
            if part is None:
                break
            if part:
                yield part
        if len(self._held) > self._max + HEADERS_MAX_BYTES + len(self._mark):
            raise BadStream(f"a part is larger than {self._max} bytes")

    def _headers(self) -> bytes | None:
        """Takes boundary and headers; empty once they are whole, None before."""
        held = self._held
        start = len(held) - len(held.lstrip(b"\r\n"))
        mark = bytes(held[start : start + len(self._mark)])
        if mark != self._mark[: len(mark)]:
            raise BadStream(f"no boundary where one must be, but {bytes(held[start : start + 40])!r}")
        begin = start + len(self._mark)
        if held[begin : begin + 2] == b"--":
            self.ended = True
            return None
        end = _HEADERS_END.search(held, begin)
        if end is None:
            if len(held) - start > HEADERS_MAX_BYTES + len(self._mark):
                raise BadStream("the headers of a part do not end")
            return None
        length = _LENGTH.search(held, begin, end.start())
        self._length = -1 if length is None else int(length[1])
        if self._length > self._max:
            raise BadStream(f"a part of {self._length} bytes, at most {self._max} are read")
        del held[: end.end()]
        self._looked = 0
        return b""

    def _part(self, length: int) -> bytes | None:
        held = self._held
        if length < 0:
            length = held.find(self._mark, max(0, self._looked - len(self._mark)))
            self._looked = len(held)
            if length < 0:
                return None
            part = bytes(held[:length]).removesuffix(b"\n").removesuffix(b"\r")
        else:
            if len(held) < length:
                return None
            part = bytes(held[:length])
        del held[:length]
        self._length = None
        return part

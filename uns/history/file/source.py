"""The lines of a file or of standard input, unpacked where it is gzip or zstd: told by its first bytes, not by its name."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import zstandard

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 16
UNREADABLE = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What opening or reading may raise: no such file, no access, packed bytes that are damaged or end too early."""


@contextmanager
def lines(name: str) -> Iterator[Iterator[bytes]]:
    """The lines of a file, each with its line feed; `-`: standard input. Raises one of `UNREADABLE`, also while read."""
    if name == "-":
        yield unpacked(sys.stdin.buffer)
        return
    with open(name, "rb") as file:
        yield unpacked(file)


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """The lines of what is packed in `file`, or of itself; memory holds one piece of it."""
    raw = io.BufferedReader(file, CHUNK) if isinstance(file, io.RawIOBase) else file
    first = raw.read(len(ZSTD))
    rest = _Joined(first, raw)
    if first.startswith(GZIP):
        return iter(gzip.GzipFile(fileobj=io.BufferedReader(rest, CHUNK)))
    if first == ZSTD:
        return _split(_unpacked_zstd(rest))
    return iter(io.BufferedReader(rest, CHUNK))


class _Joined(io.RawIOBase):
    """What was read already, then the rest: a pipe cannot be read twice."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self._first[: len(buffer)] if self._first else self._rest.read(len(buffer))
        self._first = self._first[len(data) :] if self._first else b""
        buffer[: len(data)] = data
        return len(data)


def _unpacked_zstd(packed: io.RawIOBase) -> Iterator[bytes]:
    """Every frame, one after the other. Raises `EOFError` where the last one is cut off."""
    frame, whole = zstandard.ZstdDecompressor().decompressobj(), False
    while chunk := packed.read(CHUNK):
        while chunk:
            whole = False
            yield frame.decompress(chunk)
            chunk = b""
            if frame.eof:
                chunk, whole = frame.unused_data, True
                frame = zstandard.ZstdDecompressor().decompressobj()
    if not whole:
        raise EOFError("the packed data ends too early")


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest

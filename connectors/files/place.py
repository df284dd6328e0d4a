"""How far a file has been read, and whether a file is the one that was read: by what stands in it, not by its name. Pure."""

import hashlib
from typing import TypeVar

import msgspec

PROOF_BYTES = 1024
"""Of the beginning, and before the place: what must still stand there."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """The next byte to read of a text file, the next row of any other. What proves that it is the same file goes with it."""

    offset: int = 0
    line: int = 0
    """Lines before it; for people."""
    skipping: bool = False
    """Whether it is inside of a line that is too long, whose end is still to be found."""
    head_bytes: int = 0
    head: bytes = b""
    tail_bytes: int = 0
    tail: bytes = b""

    def proved(self, head: bytes, tail: bytes) -> "Place":
        """This place with its proof: how the file begins, and the bytes before it."""
        head, tail = head[: self.offset][:PROOF_BYTES], tail[-PROOF_BYTES:]
        return msgspec.structs.replace(
            self, head_bytes=len(head), head=digest(head), tail_bytes=len(tail), tail=digest(tail)
        )

    def begins(self, head: bytes) -> bool:
        """Whether a file that begins so may be the one of this place."""
        return digest(head[: self.head_bytes]) == self.head

    def ends(self, tail: bytes) -> bool:
        """Whether these are the bytes before this place."""
        return digest(tail) == self.tail


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A place as the cursor has it, with what is known of the file beside."""

    called: str
    """Its name when it was last seen."""
    modified: int
    """When it was last written to then, as `Seen` has it."""
    place: Place

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


T = TypeVar("T", Kept, Place)


def decode(kept: bytes, kind: type[T]) -> T | None:
    """What was kept; None for what no release of ours has written."""
    try:
        return msgspec.json.decode(kept, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]

"""What was folded as JSON lines: every field of every record, times as ISO 8601."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.text import to_plain
from uns.history.file.fold import Folded

_encode = msgspec.json.Encoder().encode


def documents(folded: Folded) -> Iterator[bytes]:
    """Lines: derived records, then what was refused."""
    for record in folded.records:
        plain: dict[str, Any] = {"class": record.message_class, **to_plain(record)}
        del plain["type"]
        yield _encode(plain) + b"\n"
    for refusal in folded.refused:
        yield _encode({"class": "quarantine", **refusal._asdict()}) + b"\n"

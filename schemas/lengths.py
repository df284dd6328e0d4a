"""How long the texts of a raw record may be: what goes in bounded cannot grow out of bounds on its way.

Names and ids decide what belongs together, so a longer one is refused: cut, two orders would become one. A comment is only
read by people, so it is cut, and the cut is marked. Lengths are characters; a character takes at most four bytes.
"""

from typing import TypeVar

import msgspec

from schemas.raw import (
    Acknowledge,
    Gap,
    Inspection,
    Limits,
    Lot,
    Order,
    OutOfService,
    RawRecord,
    Reason,
    Shelve,
    Shift,
    WorkOrder,
)

NAME_MAX = 128
"""Characters of a name: an order, a product, a person, a tag, a source."""
COMMENT_MAX = 4_000
"""Characters of a comment."""
ALERT_MAX = 1_024
"""Characters of the id of an alert, or of another record that a fact is about: a path, a kind with up to two names in it, a time and a definition."""
BREAKS_MAX = 100
"""Breaks of one shift."""
DEFECTS_MAX = 100
"""Kinds of defects of one inspection."""
ATTRIBUTES_MAX = 32
"""Attributes of one fact."""
BYTES_A_CHARACTER = 4
"""At most, in UTF-8."""
CUT_MARK = "…"
"""The last character of a text that was cut."""

_MAXIMA = {"comment": COMMENT_MAX, "text": COMMENT_MAX, "alert": ALERT_MAX, "about": ALERT_MAX}
RawT = TypeVar("RawT", bound=RawRecord)


def overlong(record: RawRecord) -> str | None:
    """What of a record is too long, the first there is: `product has 5000 characters; 128 are the most`. None: all fits.

    The samples of a record are not looked at: they are refused one by one.
    """
    for field in record.__struct_fields__:
        text = getattr(record, field)
        if isinstance(text, str) and len(text) > (most := _MAXIMA.get(field, NAME_MAX)):
            return f"{field} has {len(text)} characters; {most} are the most"
    if isinstance(record, Shift) and len(record.breaks) > BREAKS_MAX:
        return f"{len(record.breaks)} breaks; {BREAKS_MAX} are the most"
    if isinstance(record, Inspection):
        if len(record.defects) > DEFECTS_MAX:
            return f"{len(record.defects)} kinds of defects; {DEFECTS_MAX} are the most"
        if any(len(text) > NAME_MAX for defect in record.defects for text in (defect.type, defect.place or "")):
            return f"the type and the place of a defect have at most {NAME_MAX} characters"
    return _overlong_attributes(record.attributes) if isinstance(record, Order | Lot | Shift) else None


def _overlong_attributes(attributes: dict[str, str]) -> str | None:
    if len(attributes) > ATTRIBUTES_MAX:
        return f"{len(attributes)} attributes; {ATTRIBUTES_MAX} are the most"
    for name, value in attributes.items():
        if (longest := max(len(name), len(value))) > NAME_MAX:
            return f"an attribute has {longest} characters; {NAME_MAX} are the most"
    return None


def with_short_comment(record: RawT) -> RawT:
    """The record with its comment cut to what is kept, where it has a longer one."""
    if isinstance(record, Gap) and record.text is not None and len(record.text) > COMMENT_MAX:
        return msgspec.structs.replace(record, text=cut(record.text, COMMENT_MAX))
    if (
        isinstance(record, Reason | Acknowledge | WorkOrder | Shelve | OutOfService | Limits)
        and record.comment is not None
        and len(record.comment) > COMMENT_MAX
    ):
        return msgspec.structs.replace(record, comment=cut(record.comment, COMMENT_MAX))
    return record


def cut(text: str, most: int) -> str:
    """At most so many characters; where something is left out, the last of them is `CUT_MARK`."""
    return text if len(text) <= most else text[: most - len(CUT_MARK)] + CUT_MARK

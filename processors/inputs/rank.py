"""A sample's rank: its place in what its source said, as one integer. It decides between samples of one time.

A source numbers its records without a gap (`Samples.sequence`), and gives the samples of a record in order. A record that
comes again has the same ranks again. Of two sources none knows what the other said first: their ranks say who is who, and
no more.
"""

from schemas.records import Samples

POSITION_BITS, SEQUENCE_BITS, SOURCES_MAX = 16, 42, 32
"""Of a rank; a sequence beyond is taken modulo 2^42. The sources of a cell after so many count as one."""
_SEQUENCE_MAX = (1 << SEQUENCE_BITS) - 1
_SOURCE_SHIFT = POSITION_BITS + SEQUENCE_BITS


class Sources:
    """The sources that speak of one cell, numbered in order of their first word."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def first_rank(self, record: Samples) -> int:
        """The rank of a record's first sample; the n-th after it has n more."""
        number = self._numbers.get(record.source)
        if number is None:
            number = len(self._numbers)
            if number < SOURCES_MAX:
                self._numbers[record.source] = number
            else:
                number = SOURCES_MAX - 1
        return number << _SOURCE_SHIFT | (record.sequence & _SEQUENCE_MAX) << POSITION_BITS

    def dump(self) -> list[str]:
        """Their names by number, for `load`."""
        return list(self._numbers)

    def load(self, names: list[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}


def source_of(rank: int) -> int:
    """The number of the source that a rank is of."""
    return rank >> _SOURCE_SHIFT

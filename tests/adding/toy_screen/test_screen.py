"""The picture is a fold without a page: of each place a newer window or revision replaces an older one, in any order."""

from itertools import permutations

from msgspec.structs import replace

from tests.harness.records import EXAMPLES

from .picture import Newest

OEE = next(record for record in EXAMPLES if type(record).__name__ == "Oee")


def test_the_newest_stays_whatever_the_order() -> None:
    records = [OEE, replace(OEE, revision=1), replace(OEE, started_at=OEE.started_at + 1)]  # type: ignore[union-attr]
    for order in permutations(records):
        newest = Newest()
        for record in order:
            newest.apply(record)  # type: ignore[arg-type]
        assert list(newest.by_path.values()) == records[-1:]

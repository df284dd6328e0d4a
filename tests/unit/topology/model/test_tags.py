"""Options of tags that must fit each other, and the plant around them."""

import pytest
from pydantic import ValidationError

from tests.harness.fold_files import plant


@pytest.mark.parametrize(
    ("of_tag", "horizon_h", "fits"),
    [
        ({"spread": "since_last"}, 48, True),
        ({"spread": "since_last"}, 12, False),
        ({"spread": "since_last", "spread_max_s": 12 * 3_600}, 12, True),
        ({"spread": "since_last", "spread_max_s": 200_000}, 48, False),
        ({}, 12, True),
    ],
)
def test_an_amount_is_spread_no_further_than_numbers_are_corrected(
    of_tag: dict[str, object], horizon_h: int, fits: bool
) -> None:
    tags = {"Good": {"role": "good_count", "counts": "increments"} | of_tag}
    if fits:
        assert plant(tags=tags, time={"horizon_h": horizon_h})
    else:
        with pytest.raises(ValidationError, match="state a shorter spread_max_s"):
            plant(tags=tags, time={"horizon_h": horizon_h})

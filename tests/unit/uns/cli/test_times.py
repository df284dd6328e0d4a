"""Times that people type: spans, moments with and without offset, clock changes; and times that people read."""

from datetime import datetime

import pytest

from schemas.text import iso, micros
from topology.model.plant import Plant
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.cli.times import FOREVER_US, Reader, hours, shown, span_s
from uns.errors import UserError
from uns.model.zones import SiteZones

NOW = micros("2026-11-23T12:00:00Z")
CALENDAR = {"shifts": {"early": {"begin": "06:00", "end": "14:00"}}}
PLANT = Plant.model_validate(
    {
        "namespace": {
            "enterprise": "acme",
            "sites": {
                site: {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}}
                for site in ("dallas", "leipzig", "nowhere")
            },
        },
        "types": {"filler": {"ideal_cycle_s": 6, "tags": {}}},
        "shifts": {
            "dallas": {"filter": "acme/dallas/#", "zone": "America/Chicago", **CALENDAR},
            "leipzig": {"filter": "acme/leipzig/#", "zone": "Europe/Berlin", **CALENDAR},
        },
    }
)


def reader(*filters: str) -> Reader:
    return Reader(NOW, SiteZones(PLANT), [Filter.parse(text) for text in filters])


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("8h", 28_800), ("2d", 172_800), ("1.5h", 5400)]
)
def test_spans(text: str, seconds: float) -> None:
    assert span_s("--for", text) == seconds
    assert reader().instant("--from", text) == NOW - seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "h", "8", "8w", "-8h", "8 h", "0h", "eight", "8hh", "٨h٨"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(UserError, match=r"--horizon .*expected a span such as 72h or 30d"):
        hours("--horizon", text)


def test_words_and_offsets() -> None:
    assert reader().instant("--from", "beginning") == 0
    assert reader().instant("--to", "now") == NOW
    assert iso(reader().instant("--from", "2026-11-23T06:00+01:00")) == "2026-11-23T05:00:00.000000+00:00"
    with pytest.raises(UserError, match="--from 'tomorrow': expected beginning, now, an ISO time"):
        reader().instant("--from", "tomorrow")


@pytest.mark.parametrize(
    ("filters", "utc", "words"),
    [
        (("acme/dallas/#",), "2026-11-23T12:00:00", "America/Chicago, the site's time zone"),
        (("acme/+/packaging/line-1/filler", "acme/leipzig"), "2026-11-23T06:00:00", "UTC, because the sites are in America/Chicago and Europe/Berlin"),
        (("acme/leipzig/packaging/line-1/filler",), "2026-11-23T05:00:00", "Europe/Berlin"),
        (("acme/nowhere/#",), "2026-11-23T06:00:00", "UTC, because no shift calendar"),
    ],
)  # fmt: skip
def test_a_time_without_offset_is_the_sites_and_that_is_said(
    filters: tuple[str, ...], utc: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = reader(*filters).instant("--from", "2026-11-23T06:00")
    assert iso(at)[:19] == utc
    said = capsys.readouterr().err
    assert words in said
    assert f"{utc}Z" in said


@pytest.mark.parametrize(
    ("text", "words"), [("2026-10-25T02:30", "comes twice"), ("2026-03-29T02:30", "does not exist")]
)
def test_a_time_at_a_change_of_the_clock_is_not_guessed(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        reader("acme/leipzig/#").instant("--from", text)
    offers = str(refused.value).rpartition("offset, ")[2].split(" or ")
    assert len({datetime.fromisoformat(offer).utcoffset() for offer in offers}) == 2


def test_between() -> None:
    assert reader().between("8h", None) == (NOW - 28_800_000_000, FOREVER_US)
    with pytest.raises(UserError, match="--from 8h is not before --to 9h"):
        reader().between("8h", "9h")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("acme/dallas/packaging/line-1/filler", "2026-11-23 06:00:00 CST"),
        ("acme/leipzig/packaging/line-1", "2026-11-23 13:00:00 CET"),
        ("acme/leipzig", "2026-11-23 13:00:00 CET"),
        ("acme", "2026-11-23 12:00:00 UTC"),
        ("acme/nowhere/packaging/line-1/filler", "2026-11-23 12:00:00 UTC"),
        ("other/dallas", "2026-11-23 12:00:00 UTC"),
    ],
)
def test_people_read_the_clock_of_the_place(place: str, text: str) -> None:
    assert shown(NOW, SiteZones(PLANT).at(Path.parse(place))) == text
    assert shown(NOW, SiteZones(None).at(Path.parse(place))) == "2026-11-23 12:00:00 UTC"

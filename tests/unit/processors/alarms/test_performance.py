"""The figures of the alarm system: floods, chattering, stale and top ten by worked examples of EEMUA 191 and ISA-18.2."""

import pytest

from processors.alarms.performance import DAY, HOUR, MINUTE, Annunciation, Flood, performance

S = 1_000_000
PATH = "acme/dallas/packaging/line-1/filler"


def told(*at_s: float, alarm: str = "a", priority: str = "low", lasts_s: float | None = 1) -> list[Annunciation]:
    return [
        Annunciation(round(at * S), None if lasts_s is None else round((at + lasts_s) * S), PATH, alarm, priority)
        for at in at_s
    ]


def test_a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five() -> None:
    """Counts by ten minutes: 10, 11, 9, 5, 4, 0. Ten are no flood; five do not end it."""
    alarms = [at for n, count in enumerate((10, 11, 9, 5, 4)) for at in range(n * 600, n * 600 + count)]
    of = performance(told(*alarms), 0, HOUR)
    assert of.floods == (Flood(10 * MINUTE, 40 * MINUTE, 25),)
    assert of.flood_share == 0.5
    assert of.worst_ten_minutes == 11
    assert performance(told(*alarms), 0, HOUR, operators=2).floods == ()
    lasting = performance(told(*range(11)), 0, 10 * MINUTE)
    assert (lasting.floods, lasting.flood_share) == ((Flood(0, None, 11),), 1.0)


def test_an_alarm_chatters_from_three_in_a_minute_on() -> None:
    quiet = told(0, 30, 61, 91, alarm="quiet")
    loud = told(0, 30, 60, alarm="loud")
    assert [(of.alarm, of.times) for of in performance([*quiet, *loud], 0, HOUR).chattering] == [("loud", 3)]


@pytest.mark.parametrize(("hours", "found"), [(23.9, 0), (24, 1), (None, 1)], ids=["a-day-less", "a-day", "still"])
def test_a_stale_alarm_has_stood_for_a_day(hours: float | None, found: int) -> None:
    alarms = told(0, lasts_s=None if hours is None else hours * 3600)
    assert len(performance(alarms, 12 * HOUR, 2 * DAY).stale) == found
    assert performance(alarms, 12 * HOUR, 2 * DAY).alarms == 0


@pytest.mark.parametrize(
    ("a_day", "verdict"),
    [(144, "acceptable"), (150, "manageable"), (288, "manageable"), (300, "too many")],
)
def test_the_rate_an_operator_hour(a_day: int, verdict: str) -> None:
    """6 an hour are 144 a day, 12 are 288: the sources' "about 150" and "about 300" a day are these, rounded."""
    of = performance(told(*(n * 86_400 / a_day for n in range(a_day))), 0, DAY)
    assert of.per_operator_hour == pytest.approx(a_day / 24)
    assert of.verdict == verdict


def test_the_ten_that_come_most_and_priorities() -> None:
    alarms = [
        of for n in range(20) for of in told(*range(0, (n + 1) * 3600, 3600), alarm=f"a{n:02}", priority="medium")
    ]
    of = performance([*alarms, *told(5, alarm="high", priority="high")], 0, DAY)
    assert [source.alarm for source in of.top] == [f"a{n:02}" for n in range(19, 9, -1)]
    assert of.top_share == pytest.approx(155 / 211)
    assert of.by_priority["medium"] == pytest.approx(210 / 211)


def test_two_at_one_time_of_which_one_stands() -> None:
    assert performance([*told(5), *told(5, lasts_s=None)], 0, HOUR).alarms == 2


def test_nothing_is_quiet_and_an_empty_stretch_is_none() -> None:
    of = performance([], 0, HOUR)
    assert (of.alarms, of.verdict, of.top, of.by_priority) == (0, "acceptable", (), {})
    with pytest.raises(ValueError, match="stretch"):
        performance([], 5, 5)

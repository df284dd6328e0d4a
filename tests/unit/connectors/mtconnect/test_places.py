"""Data items and their tags; and when a time is told of which an agent has nothing more."""

import pytest
from pydantic import ValidationError

from connectors.base import Reading, Safe, Span
from connectors.mtconnect.codec import DataItem, Device, Header, Observation
from connectors.mtconnect.config import AgentConfig, Machine, MtConnectConfig
from connectors.mtconnect.gaps import Gaps
from connectors.mtconnect.novelty import Novelty
from connectors.mtconnect.places import Map, mapped
from schemas.records import Sample
from topology.namespace.path import Path

MILL, LATHE = "acme/dallas/machining/line-1/mill", "acme/dallas/machining/line-1/lathe"


def item(id_: str, name: str | None, kind: str = "EXECUTION", component: str = "P1") -> DataItem:
    return DataItem(id_, name, "EVENT", kind, "", "VALUE", "", None, component)


DEVICES = (
    Device(
        "d1",
        "Mill",
        "u1",
        "Device",
        (item("m1", "execution"), item("m2", None), item("m3", "execution", component="P2")),
    ),
    Device("d2", "Lathe", "u2", "Device", (item("l1", "count", "PART_COUNT"),)),
    Device("a", "agent", "u3", "Agent", (item("a1", None, "ADAPTER_URI"),)),
)


def tags(found: Map) -> dict[str, list[str]]:
    return {id_: [tag for _, tag in place.tags] for id_, place in found.places.items()}


def test_every_data_item_is_a_tag_by_its_name_and_each_name_once() -> None:
    found = mapped([Machine(path=MILL, device="Mill")], DEVICES)
    assert tags(found) == {"m1": ["execution"], "m2": ["m2"], "m3": ["execution@m3"]}
    assert (found.only, found.problems) == ("Mill", ())
    assert found.known == {"m1", "m2", "m3", "l1", "a1"}


def test_listed_tags_alone_or_before_the_others() -> None:
    assert tags(mapped([Machine(path=MILL, device="u1", tags={"State": "execution", "Twice": "m1"})], DEVICES)) == {"m1": ["State", "Twice"]}  # fmt: skip
    found = mapped([Machine(path=MILL, device="d1", tags={"State": "m1"}, tag="{component}.{type}.{name}")], DEVICES)
    assert tags(found) == {"m1": ["State"], "m2": ["P1.EXECUTION.m2"], "m3": ["P2.EXECUTION.execution"]}


def test_what_is_not_there_is_named_and_the_rest_is_read() -> None:
    machines = [
        Machine(path=MILL, device="Mil"),
        Machine(path=LATHE, device="Lathe", tags={"Good": "counter", "All": "count"}),
    ]
    found = mapped(machines, DEVICES)
    assert tags(found) == {"l1": ["All"]}
    assert found.paths == (Path.parse(LATHE),)
    assert "no device 'Mil', but Mill, Lathe" in found.problems[0]
    assert "Good (counter)" in found.problems[1]


def test_a_device_needs_no_name_where_it_is_the_only_one() -> None:
    assert tags(mapped([Machine(path=LATHE)], DEVICES[1:])) == {"l1": ["count"]}
    assert "name one: Mill, Lathe" in mapped([Machine(path=LATHE)], DEVICES).problems[0]


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://mill:5000?x=1"},
        {"url": "ftp://mill"},
        {"url": "http://user:secret-word@mill"},
        {"machines": [{"path": "Acme"}]},
        {"machines": [{"path": MILL, "tag": "{nme}"}]},
        {"machines": [{"path": MILL, "tag": "{component}"}]},
        {"machines": []},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        AgentConfig.model_validate({"url": "http://mill:5000", "machines": [{"path": MILL}], **options})
    assert "secret-word" not in str(caught.value)


def test_a_machine_and_an_agent_stand_once() -> None:
    for agents in (
        [{"url": "http://a", "machines": [{"path": MILL}]}, {"url": "http://a", "machines": [{"path": LATHE}]}],
        [{"url": "http://a", "machines": [{"path": MILL}]}, {"url": "http://b", "machines": [{"path": MILL}]}],
    ):
        with pytest.raises(ValidationError, match="twice"):
            MtConnectConfig.model_validate({"agents": agents})


# -- holes and news -----------------------------------------------------------------------------------------


def header(created: int | None, last: int | None) -> Header:
    return Header(1, "2.0", created, 1, last, None, 100)


def test_a_hole_is_from_what_was_read_to_what_is_read_next() -> None:
    gaps = Gaps()
    assert gaps.ended(5) is None
    gaps.saw(header(1_000, last=9), 10, ())
    gaps.broken("overrun")
    gaps.broken("overrun")
    assert gaps.ended(4_000) == Span(1_000, 3_999, "overflow")
    assert gaps.ended(5_000) is None


def test_of_a_clock_that_went_back_no_hole_can_be_told() -> None:
    gaps = Gaps()
    gaps.broken("restarted")
    assert gaps.ended(4_000) is None
    gaps.saw(header(9_000, None), 10, ())
    gaps.broken("restarted")
    assert gaps.ended(4_000) is None


def test_what_a_source_tells_late_is_missing_from_the_last_observation_on() -> None:
    gaps = Gaps()
    gaps.saw(
        header(9_000, None), 10, [Observation("a", 9, 2_000, "EVENT", "Block", "", "", "", "", None, None, None, "")]
    )
    gaps.broken("overrun")
    assert gaps.ended(4_000) == Span(2_000, 3_999, "overflow")


def test_nobody_listens_from_the_opening_on_of_an_agent_that_is_away_then() -> None:
    gaps = Gaps()
    gaps.begin(1_000)
    gaps.begin(2_000)
    gaps.broken("restarted")
    assert gaps.ended(9_000) == Span(1_000, 8_999, "session_lost")


def reading(tag: str, at: int, value: object) -> Reading:
    return Reading(Path.parse(MILL), Sample(tag, at, value))  # type: ignore[arg-type]


def test_behind_what_is_safe_all_is_new_though_a_clock_goes_back() -> None:
    novelty = Novelty({(Path.parse(MILL), "State"): Safe(100, 5, 0)})
    said = [
        ("State", 90, 4),
        ("State", 100, 4),
        ("Other", 1, 1),
        ("State", 100, 5),
        ("State", 100, 6),
        ("State", 50, 7),
    ]
    assert [value for tag, at, value in said if novelty.new(reading(tag, at, value))] == [1, 6, 7]


def test_what_is_later_than_what_is_safe_is_new_though_that_is_in_the_buffer_no_more() -> None:
    novelty = Novelty({(Path.parse(MILL), "State"): Safe(100, 5, None)})
    assert [novelty.new(reading("State", at, at)) for at in (99, 100, 101, 50)] == [False, False, True, True]

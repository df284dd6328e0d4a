"""Topics of records: where they stand, and that no name leads elsewhere."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import ValidationError

from schemas.records import Derived, Downtime, Kpi, Quality
from sinks.mqtt import spec
from sinks.mqtt.message import Message, carried, packed
from sinks.mqtt.topics import CLASSES, BadTopic, filters, of_record, of_tag, status
from tests.harness.records import EXAMPLES, PATH
from uns.testing import downtime
from uns.testing.text import TEXTS

DERIVED = [record for record in EXAMPLES if isinstance(record, Derived)]


def example(kind: type[Derived], id_kind: str) -> Derived:
    [record] = [one for one in DERIVED if isinstance(one, kind)]
    return msgspec.structs.replace(record, id=f"{PATH}#{id_kind}@20261118T110640.000000Z~iso22400@1:3")


@pytest.mark.parametrize(
    ("kind", "id_kind", "topic"),
    [
        (Downtime, "downtime", "_downtime"),
        (Kpi, "kpi.hour", "_kpi/hour"),
        (Kpi, "kpi.day.2026-11-23", "_kpi/day/2026-11-23"),
        (Kpi, "kpi.product.cola%2Fzero 1.5", "_kpi/product/cola%2Fzero%201.5"),
        (Quality, "quality-Größe+#/", "_quality/Gr%C3%B6%C3%9Fe%2B%23%2F"),
        (Quality, "quality-", "_quality/_"),
    ],
    ids=lambda given: given if isinstance(given, str) else given.__name__,
)
def test_a_record_stands_under_its_path_its_class_and_what_tells_it_from_others(kind: type[Derived], id_kind: str, topic: str) -> None:  # fmt: skip
    assert of_record("uns/v1/", example(kind, id_kind)) == f"uns/v1/{PATH}/{topic}"


def test_every_class_has_a_topic_that_a_filter_of_its_place_fits() -> None:
    begins = [one.removesuffix("/#") for one in filters("", PATH)]
    for record in DERIVED:
        topic = of_record("", record)
        assert any(topic == begin or topic.startswith(f"{begin}/") for begin in begins), topic
    assert len({of_record("", record) for record in DERIVED}) == len(DERIVED) == len(CLASSES)


def test_a_tag_may_be_called_anything() -> None:
    assert of_tag("", PATH, "Temp/Zone 1+ä") == f"{PATH}/_tags/Temp%2FZone%201%2B%C3%A4"
    with pytest.raises(BadTopic, match="surrogate"):
        of_tag("", PATH, "\ud800")


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_stands_in_a_record_the_topic_is_one(path: str, kind: str, tag: str) -> None:
    record = msgspec.structs.replace(downtime(1), path=path, id=f"{path}#{kind}@1~d@1:0")
    makes: list[Callable[[], str]] = [lambda: of_record("", record), lambda: of_tag("", PATH, tag)]
    for make in makes:
        try:
            topic = make()
        except BadTopic:
            continue
        assert topic.isascii()
        assert topic.isprintable()
        assert not {"+", "#", " "} & set(topic)
        assert "" not in topic.split("/")


@pytest.mark.parametrize("prefix", ["uns", "/uns/", "a//b/", "+/", "a#/", "_state/", "$share/", "a\n/"])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError, match="prefix"):
        spec.config.model_validate({"broker": "mqtt://a", "client_id": "m", "prefix": prefix})


def test_expiry_needs_mqtt_5() -> None:
    with pytest.raises(ValidationError, match="version: 5"):
        spec.config.model_validate({"broker": "mqtt://a", "client_id": "m", "expiry_s": 1, "version": "3.1.1"})


def test_the_status_has_a_topic_of_its_own() -> None:
    assert status("uns/", "the mirror/1") == "uns/_mirror/the%20mirror%2F1"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.none() | st.integers(1, 2**32 - 1))
def test_properties_are_what_paho_reads(text: str, expiry_s: int | None) -> None:
    made = packed(Message("a", b"x", True, {"id": text, "type": "uns.oee"}, expiry_s))
    read: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    read.unpack(made)
    assert read.UserProperty == [("id", carried(text)), ("type", "uns.oee")]
    assert (read.ContentType, read.PayloadFormatIndicator) == ("application/json", 1)
    assert getattr(read, "MessageExpiryInterval", None) == expiry_s


@pytest.mark.parametrize("text", ["Größe 😀", "a/b+#%", ""])
def test_what_a_property_can_carry_it_carries_unchanged(text: str) -> None:
    assert carried(text) == text


@pytest.mark.parametrize("text", ["\x00", "a\nb", "\x7f", "\ufdd0", "\U0001fffe"])
def test_what_a_broker_ends_the_link_over_is_encoded(text: str) -> None:
    assert carried(text).isprintable()
    assert "%" in carried(text)

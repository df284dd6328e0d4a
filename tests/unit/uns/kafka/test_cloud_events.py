"""What our headers say is a CloudEvent by the CNCF's own library, in Kafka's binary mode."""

from types import SimpleNamespace
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from schemas.records import Derived
from tests.harness.records import EXAMPLES
from uns.kafka.message import cloud_event, identified, message

DERIVED = [record for record in EXAMPLES if isinstance(record, Derived)]


def event_of(headers: Any) -> Any:
    return from_binary_event(KafkaMessage(headers=dict(headers), key=b"acme", value=b"\x00avro"))


@pytest.mark.parametrize("record", DERIVED, ids=lambda record: type(record).__name__)
def test_a_derived_record_is_a_cloud_event(record: Derived) -> None:
    codec: Any = SimpleNamespace(encode=lambda _record: b"avro")
    event = event_of(message(record, codec).headers)
    assert event.get_specversion() == "1.0"
    assert event.get_id() == record.id
    assert event.get_source() == record.path
    assert event.get_type() == f"uns.{type(record).__name__}"
    assert event.get_datacontenttype() == "application/avro"


def test_what_a_record_lacks_is_seen() -> None:
    """The library makes an id of its own where a message has none: only one of ours is ours."""
    headers = cloud_event("x", type(DERIVED[0]))
    assert event_of(identified("1", headers)).get_id() == "1"
    assert event_of(headers).get_id() != "1"

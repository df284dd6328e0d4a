"""The MQTT codec over tests/cases/mqtt: a topic and a payload, and what is read of them."""

from pathlib import Path

import pytest

from connectors.base import FactReading, Malformed, Reading
from connectors.kit.message import FACTS
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Subscription
from tests.harness.cases import cases, document, name
from uns.testing.connectors import check_said

SUBSCRIPTIONS = [
    Subscription.model_validate({"topic": "data/+/+", "path": "acme/dallas/packaging/{1}/{2}"}),
    *(
        Subscription.model_validate(
            {"topic": f"facts/+/+/{kind}", "path": "acme/dallas/packaging/{1}/{2}", "payload": kind}
        )
        for kind in FACTS
    ),
]


@pytest.mark.parametrize("folder", cases("mqtt"), ids=name)
def test_case(folder: Path) -> None:
    case = document(folder)
    payload = bytes.fromhex(case["payload_hex"]) if "payload_hex" in case else case["payload"].encode()
    said = Decoder(SUBSCRIPTIONS).decode(case["topic"], payload)
    assert len(said) == len(case["expected"])
    for thing, expected in zip(said, case["expected"], strict=True):
        check_said(thing)
        ((kind, fields),) = expected.items()
        match thing:
            case Reading():
                assert kind == "reading"
                assert {field: getattr(thing.sample, field) for field in fields} == fields
            case FactReading():
                assert kind == "fact"
                assert {field: getattr(thing.fact, field) for field in fields} == fields
            case Malformed():
                assert kind == "malformed"
                assert {field: getattr(thing, field) for field in fields} == fields

"""The MQTT codec over tests/cases/mqtt: topics and payloads, by a subscription, a profile or the usual, and what is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.base import FactReading, Malformed, Reading
from connectors.kit.message import FACTS
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Profile, Subscription
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


ARRIVED = 1_900_000_000_000_000
"""µs, later than the times of the cases."""


def _subscriptions(case: dict[str, Any]) -> Sequence[Subscription]:
    if "profile" in case:
        return Profile.model_validate(case["profile"]).subscriptions
    return [Subscription.model_validate(case["subscription"])] if "subscription" in case else SUBSCRIPTIONS


@pytest.mark.parametrize("folder", cases("mqtt"), ids=name)
def test_case(folder: Path) -> None:
    case = document(folder)
    decoder = Decoder(_subscriptions(case))
    said = []
    for message in case.get("messages", [case]):
        payload = bytes.fromhex(message["payload_hex"]) if "payload_hex" in message else message["payload"].encode()
        said += decoder.decode(message["topic"], payload, ARRIVED)
    assert len(said) == len(case["expected"])
    for thing, expected in zip(said, case["expected"], strict=True):
        check_said(thing)
        ((kind, fields),) = expected.items()
        match thing:
            case Reading():
                assert kind == "reading"
                shown = {"path": str(thing.path), "time_of": thing.time_of}
                assert {one: shown[one] if one in shown else getattr(thing.sample, one) for one in fields} == fields
                assert (thing.time_of == "arrival") == (thing.sample.at >= ARRIVED)
            case FactReading():
                assert kind == "fact"
                assert {field: getattr(thing.fact, field) for field in fields} == fields
            case Malformed():
                assert kind == "malformed"
                assert {field: getattr(thing, field) for field in fields} == fields

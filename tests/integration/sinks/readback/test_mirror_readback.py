"""`uns sink verify` of a mirror: what is retained is as wanted, and what another hand took out or changed is named. A broker
retains one message a topic, so nothing can be there twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from sinks.base import Delivery
from tests.harness.mosquitto import mosquitto
from tests.harness.spoiled import Verified, told_of
from tests.integration.sinks.readback.many import every_record
from tests.integration.sinks.series.writing import deliveries
from uns.local.mqtt import find_mosquitto
from uns.model.components import sink_spec
from uns.testing.patience import patient
from uns.testing.sinks import downtime, removal

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mosquitto(tmp_path_factory.mktemp("broker"), ["allow_anonymous true"], "max_queued_messages 0") as broker:
        yield broker.url()


def place(number: int) -> str:
    return f"acme/dallas/packaging/line-{number}/filler"


def stops(count: int, places: int) -> list[Delivery]:
    return deliveries([(place(n % places), downtime(n, 0, f"reason {n}", place(n % places))) for n in range(count)])


def retain(url: str, topic: str, payload: bytes) -> None:
    parts = urlsplit(url)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_start()
    client.publish(topic, payload, 1, retain=True).wait_for_publish(patient(10))
    client.disconnect()
    client.loop_stop()


def test_of_many_topics_one_is_missing_and_one_changed(url: str, tmp_path: Path) -> None:
    def spoil() -> None:
        retain(url, f"{place(10)}/_downtime", b"")
        retain(url, f"{place(30)}/_downtime", b"{}")

    verified = Verified("mqtt", {"broker": url, "client_id": "mirror"}, tmp_path)
    assert told_of(verified, stops(600, 200), spoil) == [
        ("missing", f"{place(10)}/_downtime"),
        ("different", f"{place(30)}/_downtime"),
    ]


def test_records_of_every_kind(url: str, tmp_path: Path) -> None:
    found = [each for each in every_record() if each.key == getattr(each.record, "path", None)]
    verified = Verified("mqtt", {"broker": url, "client_id": "mirror", "version": "3.1.1"}, tmp_path)
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 10
    assert (differences, beyond) == ([], 0)


def test_what_was_taken_back_or_has_left_the_plant_or_is_newer_is_not_judged(url: str, tmp_path: Path) -> None:
    found = stops(600, 200)
    verified = Verified("mqtt", {"broker": url, "client_id": "mirror"}, tmp_path)
    verified.write(found)
    gone = place(7)
    spec = sink_spec("mqtt")

    async def remove() -> None:
        sink = spec.build("spoiled", spec.config.model_validate({"broker": url, "client_id": "mirror"}), tmp_path)
        await sink.open()
        assert await sink.write([removal(gone, 900)], {}) == []
        await sink.close()

    asyncio.run(remove())
    assert verified.differences(found) == (199, [], 0)
    end = found[300].record.started_at  # type: ignore[union-attr]
    assert verified.differences(found, 0, end)[:2] == (0, []), "each topic has a newer one"

"""The mirror on a real broker: what is told, what is retained, and what a foreign client reads of it."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Derived, Downtime, Kpi, Quality, State
from schemas.text import from_plain
from sinks.base import Rejected, Removed
from tests.harness.mirrored import Listener
from tests.harness.records import EXAMPLES
from tests.harness.waiting import eventually
from tests.integration.sinks.mqtt.mirroring import PATHS, T, config, delivered, mirror, of, snapshot
from uns.local.mqtt import Mqtt
from uns.testing.patience import patient

PATH, OTHER = PATHS[:2]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mqtt]:
    """mosquitto where it is installed, else amqtt."""
    with Mqtt(tmp_path / "broker") as running:
        yield running


def options(broker: Mqtt, **more: Any) -> dict[str, Any]:
    return config(broker.address, version="5" if broker.persistent else "3.1.1", **more)


def write(options: dict[str, Any], folder: Path, *records: Derived, first: int = 0) -> list[Any]:
    """By a process of its own."""

    async def go() -> list[Any]:
        async with mirror(options, folder) as sink:
            return list(await sink.write(delivered(records, first), {}))

    return asyncio.run(go())


def kept(broker: Mqtt) -> dict[str, Any]:
    return {topic: one.get("id", one.get("value")) for topic, one in Listener.retained(broker.address).items()}


def test_every_class_is_told_and_retained_as_it_is(broker: Mqtt, tmp_path: Path) -> None:
    records = [record for record in EXAMPLES if isinstance(record, Derived)]
    listener = Listener(broker.address)
    assert write(options(broker, prefix="uns/v1/"), tmp_path / "state", *records) == []
    listener.settle()
    retained = Listener.retained(broker.address)
    assert {topic.partition("uns/v1/")[0] for topic in retained} == {""}
    assert sorted(map(str, map(from_plain, retained.values()))) == sorted(map(str, records))
    told = [one for by_id in listener.told().values() for one in by_id.values()]
    assert sorted(map(str, map(from_plain, told))) == sorted(map(str, records))
    assert {one["offset"] for one in told} == set(range(len(records)))
    listener.close()


def test_a_late_correction_is_told_and_does_not_stand_for_the_newest(broker: Mqtt, tmp_path: Path) -> None:
    listener = Listener(broker.address)
    first, second = of(State, PATH, 1), of(State, PATH, 2)
    correction, newer = of(State, PATH, 1, 1), of(State, PATH, 2, 1)
    assert write(options(broker), tmp_path / "state", first, second) == []
    assert write(options(broker), tmp_path / "state", correction, first=2) == []
    topic = f"{PATH}/_state"
    assert kept(broker) == {topic: second.id}
    assert write(options(broker), tmp_path / "elsewhere", correction, first=2) == [], (
        "a ledger that is new asks the broker"
    )
    assert kept(broker) == {topic: second.id}
    assert write(options(broker), tmp_path / "state", newer, first=3) == []
    assert kept(broker) == {topic: newer.id}
    listener.settle()
    assert list(listener.told()[topic]) == [first.id, second.id, correction.id, newer.id]
    listener.close()


def test_what_is_withdrawn_does_not_stay_retained(broker: Mqtt, tmp_path: Path) -> None:
    listener = Listener(broker.address)
    stops = [of(Downtime, PATH, number) for number in range(3)]
    assert write(options(broker), tmp_path / "state", *stops) == []
    topic = f"{PATH}/_downtime"
    for number, left in ((2, stops[1].id), (1, stops[0].id), (0, None)):
        gone = of(Downtime, PATH, number, 1, ended_at=T + number * 60_000_000)
        assert write(options(broker), tmp_path / "state", gone, first=10 + number) == []
        assert kept(broker) == ({topic: left} if left else {})
        listener.settle()
        assert gone.id in listener.told()[topic], "and it is told that it was"
    listener.close()


def test_windows_orders_and_characteristics_stand_beside_each_other(broker: Mqtt, tmp_path: Path) -> None:
    records = [
        of(Kpi, PATH, 1, name=".hour"),
        of(Kpi, PATH, 0, name=".day.2026-11-23"),
        of(Quality, PATH, 3, name="-Größe/2+#", phase="control"),
        of(Quality, PATH, 1, name="-Gewicht", phase="control"),
    ]
    assert write(options(broker), tmp_path / "state", *records) == []
    names = ["_kpi/hour", "_kpi/day/2026-11-23", "_quality/Gr%C3%B6%C3%9Fe%2F2%2B%23", "_quality/Gewicht"]
    assert kept(broker) == {f"{PATH}/{name}": record.id for name, record in zip(names, records, strict=True)}


def test_tags_have_topics_of_their_own_and_one_that_is_gone_is_cleared(broker: Mqtt, tmp_path: Path) -> None:
    listener = Listener(broker.address, f"{PATH}/_tags/#")
    with_tags, folder = options(broker, tags=True), tmp_path / "state"
    assert write(with_tags, folder, snapshot(PATH, 1, **{"Good": 1, "Temp/Öl": 1.5, "Text": "a"})) == []
    assert write(with_tags, folder, snapshot(PATH, 2, **{"Good": 2, "Temp/Öl": 1.5, "On": None}), first=1) == []
    tags = {topic.rpartition("/")[2]: value for topic, value in kept(broker).items() if "_tags" in topic}
    assert tags == {"Good": 2, "Temp%2F%C3%96l": 1.5, "On": None}
    listener.settle()
    assert [message.topic.rpartition("/")[2] for message in listener.messages] == [
        "Good", "Temp%2F%C3%96l", "Text", "Good", "On", "Text",
    ], "only what changed"  # fmt: skip
    listener.close()


def test_a_path_that_left_the_plant_is_cleared_and_nothing_else(broker: Mqtt, tmp_path: Path) -> None:
    with_tags, folder = options(broker, tags=True), tmp_path / "state"
    parent = PATH.rpartition("/")[0]
    here = [snapshot(PATH, 1, Good=1), of(Kpi, PATH, 1, name=".hour"), of(State, PATH, 1)]
    others = [of(State, OTHER, 1), of(Kpi, parent, 1, name=".hour"), snapshot(OTHER, 1, Good=2)]
    assert write(with_tags, folder, *here, *others) == []
    before = kept(broker)
    gone = Removed.at(PATH, "uns.acme.current", 0, 50, T + 50)

    async def take_out(where: Path, *records: Derived, first: int) -> list[Any]:
        async with mirror(with_tags, where) as sink:
            return list(await sink.write(delivered(records, first), {}))

    assert asyncio.run(take_out(tmp_path / "elsewhere", gone, first=50)) == [], "whatever the ledger knows"
    assert kept(broker) == {topic: one for topic, one in before.items() if not topic.startswith(f"{PATH}/")}
    assert asyncio.run(take_out(folder, gone, first=50)) == []
    assert kept(broker) == {topic: one for topic, one in before.items() if not topic.startswith(f"{PATH}/")}

    async def late_and_back() -> None:
        async with mirror(with_tags, folder) as sink:
            late = delivered([of(State, PATH, 2)])  # in another topic, and said before the path went
            assert await sink.write(late, {}) == []
            assert f"{PATH}/_state" not in kept(broker)
            back = [replace(each, ingested_at=T + 1_000_000_000) for each in delivered([of(State, PATH, 3)])]
            assert await sink.write(back, {}) == []
            assert f"{PATH}/_state" in kept(broker)

    asyncio.run(late_and_back())


def test_whoever_looks_sees_whether_the_mirror_is_there(broker: Mqtt, tmp_path: Path) -> None:
    async def go() -> None:
        async with mirror(options(broker), tmp_path / "state"):
            assert await asyncio.to_thread(state) == "online"

    def state() -> str:
        listener = Listener(broker.address, "none")
        listener._client.on_message = lambda _c, _u, message: seen.append(message.payload.decode())
        seen: list[str] = []
        listener._client.subscribe("_mirror/mirror", 1)
        try:
            return eventually(lambda: seen[0] if seen else "", what="status")
        finally:
            listener.close()

    asyncio.run(go())
    assert state() == "offline"


def test_a_record_that_no_topic_or_json_can_hold_is_rejected_alone(broker: Mqtt, tmp_path: Path) -> None:
    bad = [
        of(State, "acme/+/x", 1),
        of(State, PATH, 1, name="\ud800"),
        of(State, PATH, 1, started_at=2**62),
        of(State, PATH, 1, name="x" * 70_000),
    ]
    listener = Listener(broker.address)
    rejected = write(options(broker), tmp_path / "state", *bad, of(State, PATH, 2))
    assert [(type(each), each.reason) for each in rejected] == [(Rejected, "unfit")] * 4
    listener.settle()
    assert list(listener.told()) == [f"{PATH}/_state"]
    listener.close()


@pytest.mark.parametrize("name", ["Öl\x00", "a\nb", "\ufdd0", "😀"])
def test_what_a_broker_would_end_the_link_over_is_told(broker: Mqtt, tmp_path: Path, name: str) -> None:
    record = of(Quality, PATH, 1, name=f"-{name}", characteristic=name, phase="control")
    assert write(options(broker), tmp_path / "state", record) == []
    [read] = Listener.retained(broker.address).values()
    assert (read["id"], read["characteristic"]) == (record.id, name)


def test_numbers_at_the_borders_and_none(broker: Mqtt, tmp_path: Path) -> None:
    values = [float("nan"), float("inf"), 2**63 - 1, -(2**63), 1e300, None, True, "ä"]
    tags = {f"T{number}": value for number, value in enumerate(values)}
    assert write(options(broker), tmp_path / "state", snapshot(PATH, 1, **tags)) == []
    [read] = Listener.retained(broker.address).values()
    assert [tag["value"] for tag in read["tags"]] == [None, None, *values[2:]], "JSON has no NaN"


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto_sub is not installed (Debian: mosquitto-clients)")  # fmt: skip
def test_a_foreign_client_reads_the_properties_of_a_cloud_event(broker: Mqtt, tmp_path: Path) -> None:
    if not broker.persistent:
        pytest.skip("amqtt speaks no MQTT 5")
    record = of(Downtime, PATH, 1, 2)
    assert write(options(broker, expiry_s=600), tmp_path / "state", record) == []
    host, _, port = broker.address.removeprefix("mqtt://").partition(":")
    command = ["mosquitto_sub", "-h", host, "-p", port, "-V", "5", "-t", f"{PATH}/#", "-C", "1", "-q", "1"]
    form = r"%C\n%E\n%r\n%q\n%P\n%p"
    done = subprocess.run([*command, "-F", form], capture_output=True, text=True, check=True, timeout=patient(20))
    content_type, expiry, retain, qos, *user, payload = done.stdout.splitlines()
    properties = dict(pair.split(":", 1) for pair in " ".join(user).split(" "))
    assert (content_type, retain, qos) == ("application/json", "1", "1")
    assert 0 < int(expiry) <= 600
    assert properties == {
        "specversion": "1.0",
        "id": record.id,
        "source": f"/{PATH}",
        "type": "uns.downtime",
        "time": "2026-11-18T11:07:40.000000+00:00",
        "subject": record.natural_id,
        "revision": "2",
        "status": "final",
    }
    assert from_plain(json.loads(payload)) == record

"""A real InfluxDB 1: what is written is there value by value; what it refuses, forgets, is missing or dies is told apart."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.records import Derived, Oee, Order, Sample, Samples, Tick, Value
from sinks.base import Delivery, LeftBehind, Rejected, Retryable, Sink, Unwritten
from sinks.influxdb import spec
from tests.harness.influxd import Influxd, influxd
from tests.harness.records import EXAMPLES
from tests.harness.secure import certificates
from tests.integration.sinks.series.targets import InfluxTarget
from tests.integration.sinks.series.writing import PATHS, Record, T, deliveries, expected, settle, some
from topology.namespace.classes import MessageClass
from uns.runtime.ports import free_port
from uns.testing.sinks import downtime
from uns.testing.text import TEXTS

VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXTS
TAGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=30).filter(
    lambda text: not text.endswith("\\")
)


@pytest.fixture
def database(influxdb: Influxd, enterprise: str) -> Any:
    influxdb.query(f'CREATE DATABASE "{enterprise}"')
    yield InfluxTarget(influxdb, enterprise)
    influxdb.query(f'DROP DATABASE "{enterprise}"')


def build(database: InfluxTarget, folder: Path, **more: Any) -> Sink:
    config = {"url": database.server.url, "version": 1, "database": database.name, **more}
    return spec.build("series", spec.config.model_validate(config), folder)


def write(sink: Sink, found: list[Delivery]) -> list[Unwritten]:
    async def go() -> list[Unwritten]:
        await sink.open()
        try:
            return list(await sink.write(found, {}))
        finally:
            await sink.close()

    return asyncio.run(go())


def samples(*found: Sample, path: str = PATHS[0]) -> list[Delivery]:
    return deliveries([(path, Samples("plc", 1, found))])


def said(value: Value) -> tuple[str, Any]:
    match value:
        case bool():
            return "boolean", value
        case int():
            return "integer", value
        case float() if not math.isfinite(value):
            return repr(value), None
        case float():
            return "number", value
        case None:
            return "null", None
    return "text", value


def test_every_value_is_there_as_it_was(database: InfluxTarget, tmp_path: Path) -> None:
    sink = build(database, tmp_path)
    number = 0
    with asyncio.Runner() as runner:
        runner.run(sink.open())

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @given(TAGS, VALUES, st.integers(0, 2**32 - 1))
        def one(tag: str, value: Value, quality: int) -> None:
            nonlocal number
            number += 1
            at = number - 100  # before 1970, too
            if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                [rejected] = runner.run(sink.write(samples(Sample(tag, at, value, quality)), {}))
                assert isinstance(rejected, Rejected)
                return
            assert runner.run(sink.write(samples(Sample(tag, at, value, quality)), {})) == []
            its, plain = said(value)
            wanted[at] = (tag, its, plain, quality)

        wanted: dict[int, tuple[str, str, Any, int]] = {}
        one()
        runner.run(sink.close())
    held = {at: (tag, *found) for (_, tag, at), found in database.held().items()}
    assert held.keys() == wanted.keys()
    for at, (tag, its, plain, quality) in wanted.items():
        got = held[at]
        assert (got[0], got[1], got[3]) == (tag, its, quality)
        # InfluxQL's JSON writes a float that is whole without a point.
        assert got[2] == plain if its != "number" else float(got[2]) == plain


def test_all_records_are_points_with_their_fields(database: InfluxTarget, tmp_path: Path) -> None:
    records = [(each.path, each) for each in EXAMPLES if isinstance(each, Derived)]
    found = [Delivery("t", 0, n, path, MessageClass(record.message_class), record, T) for n, (path, record) in enumerate(records)]  # fmt: skip
    assert write(build(database, tmp_path), found) == []
    points = database.server.points(database.name)
    assert {name: len(listed) for name, listed in points.items()} == {record.message_class: 1 for _, record in records}
    assert points["oee"][0]["element_us_APT"] == 1
    assert points["kpi"][0]["values_oee"] == 0.5
    assert points["current"][0]["tags"].startswith('[{"tag":"State"')
    assert points["alert"][0]["withdrawn"] is False


def test_a_correction_overwrites_and_what_is_taken_back_says_so(database: InfluxTarget, tmp_path: Path) -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    natural = hour.natural_id
    newer = replace(
        hour, id=f"{natural}:1", revision=1, status="corrected", oee=None, availability=None, element_us={"APT": 3}
    )
    gone = replace(newer, id=f"{natural}:2", revision=2, ended_at=hour.started_at)
    for number, record in enumerate((hour, newer, gone)):
        assert (
            write(build(database, tmp_path), [Delivery("t", 0, number, hour.path, MessageClass.OEE, record, T)]) == []
        )
        [point] = database.server.points(database.name)["oee"]
        counts = set(point["fields"].split(","))
        assert (point["revision"], point["withdrawn"]) == (number, number == 2)
        assert ("oee" in counts, "availability" in counts, "element_us_unknown" in counts) == ((number == 0,) * 3)
        assert point["element_us_APT"] == (1 if number == 0 else 3)


def test_a_conflict_of_types_costs_its_record_alone(database: InfluxTarget, tmp_path: Path) -> None:
    at = T + 60_000_000  # of downtime 1
    database.server.write(database.name, f'samples,path={PATHS[1]} value="theirs" {at}')
    records = some(30, random.Random(3))
    database.server.write(database.name, f"oee oee=true {at}")
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    hour = replace(hour, started_at=at)
    found = deliveries(records)
    numbers = [
        each for each in records if isinstance(each[1], Samples) and any(isinstance(s.value, int | float) and not isinstance(s.value, bool) for s in each[1].samples)
    ]  # fmt: skip
    unwritten = write(build(database, tmp_path), [*found, Delivery("t", 0, 99, hour.path, MessageClass.OEE, hour, T)])
    assert all(isinstance(each, Rejected) and "field type conflict" in each.message for each in unwritten)
    assert len(unwritten) == len(numbers) + 1
    held = database.held()
    wanted = {key: value for key, value in expected("influxdb", records).items() if key[1] not in ("Good", "Speed")}
    assert {key: held[key] for key in wanted} == wanted, "texts, booleans and stops are all there"


def test_points_that_are_too_old_are_dropped_and_counted(database: InfluxTarget, tmp_path: Path) -> None:
    database.server.query(f'CREATE RETENTION POLICY "hour" ON "{database.name}" DURATION 1h REPLICATION 1 DEFAULT')
    now = int(time.time() * 1e6)
    ages_s = [0, 10, 7_200, 20, 90_000, 30, 86_400 * 400]
    found = deliveries(
        [(PATHS[0], Samples("plc", n, (Sample("Good", now - age * 1_000_000, n),))) for n, age in enumerate(ages_s)]
    )
    unwritten = write(build(database, tmp_path), found)
    assert [type(each) for each in unwritten] == [LeftBehind] * 3
    assert {each.delivery.offset for each in unwritten} == {2, 4, 6}
    assert "beyond retention policy" in unwritten[0].message
    assert sorted(value[1] for value in database.held().values()) == [0, 1, 3, 5]


def test_a_missing_database_is_named_or_made(influxdb: Influxd, enterprise: str, tmp_path: Path) -> None:
    target = InfluxTarget(influxdb, f"{enterprise} ü\"x'")
    with pytest.raises(Retryable, match="database not found"):
        write(build(target, tmp_path), samples(Sample("a", T, 1)))
    with pytest.raises(Retryable, match="is made"):
        write(build(target, tmp_path, create=True), samples(Sample("a", T, 1)))
    assert write(build(target, tmp_path, create=True), samples(Sample("a", T, 1))) == []
    names = [name for (name,) in influxdb.query("SHOW DATABASES")[0]["values"]]
    assert target.name in names
    influxdb.query('DROP DATABASE "{}"'.format(target.name.replace('"', '\\"')))


def test_a_missing_retention_policy_and_another_version_are_named(database: InfluxTarget, tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="retention policy not found"):
        write(build(database, tmp_path, retention_policy="nope"), samples(Sample("a", T, 1)))
    config = {"url": database.server.url, "version": 2, "org": "acme", "bucket": "plant"}
    with pytest.raises(Retryable, match="is `version` right"):
        write(spec.build("series", spec.config.model_validate(config), tmp_path), samples(Sample("a", T, 1)))


def test_facts_are_counted_and_ticks_say_nothing(database: InfluxTarget, tmp_path: Path) -> None:
    records: list[tuple[str, Any]] = [
        (PATHS[0], Tick(at=T, worker="w")),
        (PATHS[0], Order(id="1", product="cola", started_at=T)),
    ]
    [left] = write(build(database, tmp_path), deliveries(records))
    assert isinstance(left, LeftBehind)
    assert left.message == "a Order is no time series"


def test_who_is_not_let_in_waits_and_no_secret_shows(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxdb", http="auth-enabled = true") as server:
        server.query("CREATE USER admin WITH PASSWORD 'root-secret' WITH ALL PRIVILEGES")
        admin = {"u": "admin", "p": "root-secret"}
        server.query("CREATE DATABASE plant", **admin)
        server.query("CREATE USER uns WITH PASSWORD 'hunter2'", **admin)
        target, password = InfluxTarget(server, "plant"), tmp_path / "password"
        sink = build(target, tmp_path, username="uns", password_file=str(password))
        with pytest.raises(Retryable, match="cannot be read"):
            write(sink, samples(Sample("a", T, 1)))
        for secret, words in (("wrong", "does not accept us"), ("hunter2", "does not accept us")):
            password.write_text(secret, encoding="utf-8")
            with pytest.raises(Retryable, match=words) as caught:
                write(sink, samples(Sample("a", T, 1)))
            assert "hunter2" not in str(caught.value)
        server.query('GRANT WRITE ON "plant" TO "uns"', **admin)
        assert write(sink, samples(Sample("a", T, 1))) == []


def test_over_tls_only_who_is_trusted_is_written_to(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
    pem, stranger = certificates(own), certificates(other)
    http = f'https-enabled = true\n  https-certificate = "{pem.server}"\n  https-private-key = "{pem.server}"'
    with influxd(tmp_path / "influxdb", http=http) as server:
        server.query("CREATE DATABASE plant")
        target = InfluxTarget(server, "plant")
        for trusted in ({}, {"ca_file": str(stranger.ca)}):
            with pytest.raises(Retryable, match="certificate"):
                write(build(target, tmp_path, **trusted), samples(Sample("a", T, 1)))
        with pytest.raises(Retryable, match="cannot be read"):
            write(build(target, tmp_path, ca_file=str(tmp_path / "none.pem")), samples(Sample("a", T, 1)))
        assert write(build(target, tmp_path, ca_file=str(pem.ca)), samples(Sample("a", T, 1))) == []
        assert len(target.held()) == 1


@pytest.mark.parametrize("ends", ["killed", "asleep"])
def test_a_server_that_ends_in_midst_holds_all_afterwards(tmp_path: Path, ends: str) -> None:
    chance = random.Random(7)
    with influxd(tmp_path / "influxdb") as server:
        server.query("CREATE DATABASE plant")
        target, records = InfluxTarget(server, "plant"), some(200, chance)
        waiting, tries = deliveries(records), 0

        async def go() -> None:
            nonlocal tries
            sink = build(target, tmp_path, timeout_s=0.3, lines_max=7)
            await sink.open()
            while waiting:
                part, tries = waiting[:25], tries + 1
                assert tries < 500
                strike: Callable[[], None] = server.kill if ends == "killed" else lambda: server.pause(True)
                handle = (
                    asyncio.get_running_loop().call_later(chance.uniform(0, 0.02), strike) if tries % 3 == 0 else None
                )
                try:
                    assert await sink.write(part, {}) == []
                    del waiting[: len(part)]
                except Retryable:
                    pass
                if handle is not None:
                    if handle.when() > asyncio.get_running_loop().time():
                        handle.cancel()
                        continue
                    await asyncio.to_thread(server.start if ends == "killed" else lambda: server.pause(False))
            await sink.close()

        asyncio.run(go())
        assert target.held() == expected("influxdb", records)


def test_a_target_that_is_away_is_found_again(tmp_path: Path) -> None:
    records: list[tuple[str, Record]] = some(20, random.Random(1))
    config = {"url": f"http://127.0.0.1:{free_port()}", "version": 1, "database": "plant"}
    sink = spec.build("series", spec.config.model_validate(config), tmp_path)
    with pytest.raises(Retryable, match="ConnectError"):
        write(sink, deliveries(records))
    with influxd(tmp_path / "influxdb") as server:
        server.query("CREATE DATABASE plant")
        target = InfluxTarget(server, "plant")
        assert settle(build(target, tmp_path), deliveries(records)) == []
        assert target.held() == expected("influxdb", records)


def test_stops_of_any_text_are_one_point_each(database: InfluxTarget, tmp_path: Path) -> None:
    reasons = ["", " ", '"', "\\", "a\\", 'a\\"b', "a\nb\r\n", "x" * 70_000, "ü€😀", "\x00\x7f", "#", "a=b,c d"]
    found = deliveries([(PATHS[0], downtime(n, 0, reason, PATHS[0])) for n, reason in enumerate(reasons)])
    assert write(build(database, tmp_path), found) == []
    points = sorted(database.server.points(database.name)["downtime"], key=lambda point: point["time"])
    assert [point["reason"] for point in points] == reasons

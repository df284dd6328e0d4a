"""Sinks of time series against targets that do as they please: 0 missing, 0 twice, 0 strangers touched."""

import asyncio
import gzip
import random
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from schemas.records import Sample, Samples
from sinks.base import Deferred, Rejected, Retryable
from tests.contract.rest_server import TROUBLES
from tests.integration.sinks.series.targets import InfluxTarget, Subject
from tests.integration.sinks.series.writing import PATHS, T, build, deliveries, expected, settle, some
from uns.testing.sinks import downtime

SEED = 5
QUICK = sorted(set(TROUBLES) - {"no answer"})


def test_whatever_the_target_answers_it_holds_exactly_what_was_said(subject: Subject, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    if isinstance(subject.target, InfluxTarget):
        subject.target.server.query(f'CREATE DATABASE "{subject.target.name}-other"')
        stranger = {"db": subject.target.name, "precision": "u"}
        subject.front.forward("POST", "/write", "&".join(f"{k}={v}" for k, v in stranger.items()), b"theirs x=1 7", {})

    def trouble(method: str, path: str, body: bytes) -> tuple[str, bool] | None:
        if chance.random() < 0.5:
            return None
        return chance.choice(QUICK) if chance.random() < 0.99 else "no answer", chance.random() < 0.5

    subject.front.trouble = trouble
    records = some(100, chance)
    assert settle(build(subject, tmp_path, tries=1000), deliveries(records)) == []
    assert subject.held() == expected(subject.kind, records)
    if isinstance(subject.target, InfluxTarget):
        theirs = subject.target.server.points(subject.target.name)["theirs"]
        assert theirs == [{"time": 7, "x": 1}]


@pytest.mark.parametrize("trouble", sorted(TROUBLES))
@pytest.mark.parametrize("stored", [False, True], ids=["undone", "stored"])
def test_each_trouble_is_waited_out(subject: Subject, tmp_path: Path, trouble: str, stored: bool) -> None:
    told = 0

    def once(method: str, path: str, body: bytes) -> tuple[str, bool] | None:
        nonlocal told
        if method != "POST" or told:
            return None
        told += 1
        return trouble, stored

    subject.front.trouble = once
    records = some(24, random.Random(SEED))
    sink = build(subject, tmp_path, timeout_s=0.5)

    async def go() -> str:
        await sink.open()
        words = ""
        try:
            await sink.write(deliveries(records), {})
        except Retryable as error:
            words = str(error)
        assert await sink.write(deliveries(records), {}) == []
        await sink.close()
        return words

    words = asyncio.run(go())
    assert words or subject.kind == "pi", "a point that was made, whatever was answered, is one"
    assert "hunter2" not in words
    assert told == 1
    assert subject.held() == expected(subject.kind, records)


def test_a_record_over_which_the_target_breaks_ends_in_quarantine_and_holds_no_other_back(
    subject: Subject, tmp_path: Path
) -> None:
    def poison(method: str, path: str, body: bytes) -> tuple[str, bool] | None:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return ("500", False) if b"poison" in plain else None

    subject.front.trouble = poison
    records = some(60, random.Random(SEED))
    bad = (PATHS[0], downtime(99, 0, "poison"))
    sink = build(subject, tmp_path, tries=3, tries_s=0)
    [rejected] = settle(sink, deliveries([*records[:5], bad, *records[5:]]), batch=8)
    assert isinstance(rejected, Rejected)
    assert rejected.delivery.record is bad[1]
    assert "3 tries" in rejected.message
    held = subject.held()
    if subject.kind == "pi":  # the value over which it did not break
        assert held.pop((PATHS[0], "downtime", bad[1].started_at)) == {"revision": 0}
    assert held == expected(subject.kind, records)


def test_a_target_that_is_away_for_long_blames_nobody(subject: Subject, tmp_path: Path) -> None:
    records = some(40, random.Random(SEED))
    sink = build(subject, tmp_path, tries=2, tries_s=0)
    away = True
    subject.front.trouble = lambda _method, _path, _body: ("502 of a proxy", False) if away else None

    async def go() -> None:
        nonlocal away
        await sink.open()
        for _ in range(10):
            with pytest.raises(Retryable):
                await sink.write(deliveries(records), {})
        away = False
        assert [each for each in await sink.write(deliveries(records), {}) if not isinstance(each, Deferred)] == []
        await sink.close()

    asyncio.run(go())
    assert subject.held() == expected(subject.kind, records)


def test_retry_after_is_what_the_runner_is_told(subject: Subject, tmp_path: Path) -> None:
    subject.front.translate = lambda _front, _request, _body: PlainTextResponse("busy", 503, {"Retry-After": "17"})
    sink = build(subject, tmp_path)

    async def go() -> float:
        await sink.open()
        with pytest.raises(Retryable) as caught:
            await sink.write(deliveries([(PATHS[0], Samples("plc", 1, (Sample("Good", T, 1),)))]), {})
        await sink.close()
        return caught.value.wait_s

    assert asyncio.run(go()) == 17

"""Events at a receiver that checks them with others' libraries, and behaves as badly as any."""

import asyncio
import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from schemas.records import Derived, Downtime, Oee, State
from schemas.text import from_plain
from sinks.base import Deferred, Delivery, Rejected, Retryable, Unwritten
from sinks.webhook import spec
from tests.contract.rest_server import TROUBLES
from tests.harness.receiver import SECRET, Receiver
from tests.harness.records import EXAMPLES
from tests.harness.rounds import few_and_many
from tests.harness.sink_process import killed
from tests.integration.sinks.mqtt.mirroring import PATHS, T, delivered, of

PATH = PATHS[0]
MODES = ("structured", "binary", "batch")
OTHER = "whsec_" + base64.b64encode(b"another secret of the receiver").decode()


@pytest.fixture(scope="module")
def running() -> Iterator[Receiver]:
    with Receiver().serving() as found:
        yield found


@pytest.fixture
def receiver(running: Receiver) -> Receiver:
    running.reset()
    return running


def write(config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery], calls: int = 1) -> list[Unwritten]:
    """By a process of its own; `calls`: as the runner does, what was deferred again."""

    async def go() -> list[Unwritten]:
        sink = spec.build("hook", spec.config.model_validate(config), folder)
        await sink.open()
        settled, waiting = list[Unwritten](), list(deliveries)
        try:
            for _ in range(calls):
                try:
                    unwritten = await sink.write(waiting, {})
                except Retryable:
                    await sink.open()
                    continue
                settled += [each for each in unwritten if not isinstance(each, Deferred)]
                waiting = [each.delivery for each in unwritten if isinstance(each, Deferred)]
                if not waiting:
                    break
            return [*settled, *(each for each in unwritten if isinstance(each, Deferred))]
        finally:
            await sink.close()

    return asyncio.run(go())


@pytest.mark.parametrize("mode", MODES)
def test_every_record_is_an_event_that_the_sdk_reads_and_the_library_verifies(receiver: Receiver, tmp_path: Path, mode: str) -> None:  # fmt: skip
    records = [record for record in EXAMPLES if isinstance(record, Derived)]
    assert write({**receiver.config, "mode": mode}, tmp_path, delivered(records)) == []
    assert len(receiver.requests) == (1 if mode == "batch" else len(records))
    read = {event["id"]: event for event in receiver.events}
    assert sorted(read) == sorted(record.id for record in records)
    for record in records:
        event = read[record.id]
        assert from_plain(event["data"]) == record
        assert (event["type"], event["source"]) == (f"uns.{record.message_class}", f"/{record.path}")
        assert (event["subject"], event["revision"]) == (record.natural_id, "0")


@pytest.mark.parametrize("mode", MODES)
def test_ids_may_hold_any_letter(receiver: Receiver, tmp_path: Path, mode: str) -> None:
    record = of(State, PATH, 1, name='-Größe 100 % "x"\n😀', state="a")
    assert write({**receiver.config, "mode": mode}, tmp_path, delivered([record])) == []
    [event] = receiver.events
    assert (event["id"], event["data"]["id"]) == (record.id, record.id)


def test_two_secrets_while_receivers_change_over(receiver: Receiver, tmp_path: Path) -> None:
    both = {**receiver.config, "secret": OTHER, "old_secret": SECRET}
    assert write(both, tmp_path, delivered([of(State, PATH, 1)])) == []
    receiver.secret = OTHER
    assert write(both, tmp_path, delivered([of(State, PATH, 2)])) == []
    assert len(receiver.events) == 2
    receiver.secret = SECRET
    [deferred] = write({**receiver.config, "secret": OTHER}, tmp_path, delivered([of(State, PATH, 3)]))
    assert isinstance(deferred, Deferred)
    assert "401 No matching signature found; does the receiver know our secret" in deferred.message
    assert len(receiver.events) == 2


def test_a_secret_file_is_read_again_when_it_was_corrected(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("whsec_hunter2hunter2")
    config = {"url": receiver.url, "secret_file": str(file)}
    with pytest.raises(Retryable, match="whsec_ and 24 to 64 bytes") as caught:
        write(config, tmp_path, delivered([of(State, PATH, 1)]))
    assert "hunter2" not in str(caught.value)
    file.write_text(f"{SECRET}\n")
    assert write(config, tmp_path, delivered([of(State, PATH, 1)])) == []


def test_when_picks_events_and_a_revision_that_leaves_it_is_still_told(receiver: Receiver, tmp_path: Path) -> None:
    events = [{"class": "downtime", "when": {"category": ["breakdown"]}}, {"class": "oee", "when": "{{ good > 5 }}"}]
    config = {**receiver.config, "events": events}
    first = [
        of(Downtime, PATH, 1, category="breakdown"),
        of(Downtime, PATH, 2, category="micro"),
        of(Oee, PATH, 1, name=".hour", good=6),
        of(Oee, PATH, 2, name=".hour", good=5),
        of(State, PATH, 1),
    ]
    assert write(config, tmp_path, delivered(first)) == []
    assert [event["id"] for event in receiver.events] == [first[0].id, first[2].id]
    later = [of(Downtime, PATH, 1, 1, category="micro"), of(Downtime, PATH, 2, 1, category="breakdown")]
    gone = of(Downtime, PATH, 2, 2, category="breakdown", ended_at=T + 2 * 60_000_000)
    assert write(config, tmp_path, delivered([*later, gone])) == []
    told = {event["id"]: event.get("matches", "") for event in receiver.events[2:]}
    assert told == {later[0].id: "false", later[1].id: "", gone.id: ""}
    assert write(config, tmp_path, delivered([*first, *later])) == []
    assert len(receiver.events) == 5, "what was taken is not told again, nor an older revision"


@pytest.mark.parametrize("mode", ["structured", "batch"])
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not-taken"])
@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_whatever_is_answered_nothing_is_missing_and_what_comes_again_has_its_id(
    receiver: Receiver, tmp_path: Path, trouble: str, taken: bool, mode: str
) -> None:
    """Every third request, ten times; 409 is a refusal."""
    deliveries = delivered([of(State, path, number) for number in range(6) for path in PATHS[:5]])
    count = 0

    def troubled(_events: Any) -> tuple[str, bool] | None:
        nonlocal count
        count += 1
        return (trouble, taken) if count % 3 == 2 and count < 30 else None

    receiver.trouble = troubled
    config = {**receiver.config, "mode": mode, "batch_max": 4, "timeout_s": 0.3, "tries": 50}
    unwritten = write(config, tmp_path, deliveries, calls=60)
    refused = {each.delivery.record.id for each in unwritten if isinstance(each, Rejected)}  # type: ignore[union-attr]
    assert not any(isinstance(each, Deferred) for each in unwritten)
    assert (refused != set()) == (trouble == "409" and mode != "batch"), "a batch is halved, and sent again by that"
    got = {event["id"] for event in receiver.events}
    assert got | refused == {each.record.id for each in deliveries}  # type: ignore[union-attr]
    if not refused:
        assert receiver.ids() == {path: [of(State, path, n).id for n in range(6)] for path in PATHS[:5]}, "in order"


@pytest.mark.parametrize(
    ("answer", "words", "wait_s"),
    [
        (lambda: PlainTextResponse("slow", 429, {"Retry-After": "7"}), "429 slow", 7.0),
        (lambda: PlainTextResponse("slow", 503, {"Retry-After": "7"}), "503 slow", 7.0),
        (lambda: PlainTextResponse("", 410), "wants no more events; take the sink out", 3600.0),
    ],
    ids=["429", "503", "410"],
)
def test_a_receiver_that_asks_for_time_gets_it(receiver: Receiver, tmp_path: Path, answer: Any, words: str, wait_s: float) -> None:  # fmt: skip
    async def go() -> None:
        sink = spec.build("hook", spec.config.model_validate(receiver.config), tmp_path)
        await sink.open()
        with pytest.raises(Retryable, match=words) as caught:
            await sink.write(delivered([of(State, path, 1) for path in PATHS]), {})
        assert caught.value.wait_s == wait_s
        await sink.close()

    receiver.answer = answer
    asyncio.run(go())
    assert len(receiver.requests) <= 4, "one for each that was under way"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (PlainTextResponse("no", 404), "check url"),
        (RedirectResponse("/elsewhere", 308), "check url"),
        (PlainTextResponse("who", 403), "does the receiver know our secret"),
    ],
    ids=["404", "308", "403"],
)
def test_a_receiver_that_is_not_there_loses_nothing(
    receiver: Receiver, tmp_path: Path, answer: Response, words: str
) -> None:
    receiver.answer = lambda: answer
    deliveries = delivered([of(State, path, number) for number in range(2) for path in PATHS])
    unwritten = write(receiver.config, tmp_path, deliveries)
    assert {type(each) for each in unwritten} == {Deferred}
    assert len(unwritten) == len(deliveries)
    assert words in unwritten[0].message
    receiver.answer = lambda: None
    assert write(receiver.config, tmp_path, deliveries) == []
    assert receiver.ids() == {path: [of(State, path, n).id for n in range(2)] for path in PATHS}


@pytest.mark.parametrize("mode", MODES)
def test_one_poisoned_event_goes_to_quarantine_and_holds_back_its_path_alone(receiver: Receiver, tmp_path: Path, mode: str) -> None:  # fmt: skip
    deliveries = delivered([of(State, path, number) for number in range(3) for path in PATHS])
    poison = deliveries[4].record.id  # type: ignore[union-attr]
    receiver.trouble = lambda events: ("500", False) if any(event["id"] == poison for event in events) else None
    config = {**receiver.config, "mode": mode, "tries": 3, "tries_s": 0}
    [rejected] = (
        write(config, tmp_path, [*deliveries], calls=1) if mode == "none" else _patiently(config, tmp_path, deliveries)
    )
    assert (rejected.reason, rejected.delivery.record.id) == ("http_500", poison)  # type: ignore[union-attr]
    assert "while the target took others" in rejected.message
    wanted = {path: [of(State, path, n).id for n in range(3) if of(State, path, n).id != poison] for path in PATHS}
    assert receiver.ids() == wanted


def _patiently(config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery]) -> list[Rejected]:
    """Other paths go on saying something, as they do in a plant."""

    async def go() -> list[Rejected]:
        sink = spec.build("hook", spec.config.model_validate(config), folder)
        await sink.open()
        waiting, found = list(deliveries), list[Rejected]()
        for _ in range(30):
            unwritten = await sink.write(waiting, {})
            found += [each for each in unwritten if isinstance(each, Rejected)]
            waiting = [each.delivery for each in unwritten if isinstance(each, Deferred)]
            if not waiting:
                break
        await sink.close()
        assert waiting == []
        return found

    return asyncio.run(go())


def test_a_batch_is_halved_until_the_refused_one_stands_alone(receiver: Receiver, tmp_path: Path) -> None:
    records = [of(Downtime, path, n, reason=receiver.refused if (n, path) == (1, PATHS[2]) else "jam") for n in range(3) for path in PATHS]  # fmt: skip
    [rejected] = write({**receiver.config, "mode": "batch"}, tmp_path, delivered(records))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, receiver.words in rejected.message) == ("http_422", True)
    assert {event["id"] for event in receiver.events} == {one.id for one in records} - {rejected.delivery.record.id}  # type: ignore[union-attr]


@few_and_many("kills", 3, 50)
@pytest.mark.parametrize("mode", ["structured", "batch"])
def test_kills_between_the_receivers_word_and_the_offsets(
    receiver: Receiver, tmp_path: Path, mode: str, kills: int
) -> None:
    count = 6 * kills // 5 + 3
    deliveries = delivered([of(State, path, number) for number in range(count) for path in PATHS])
    config = {**receiver.config, "mode": mode}
    assert killed("webhook", config, tmp_path, deliveries, kills, size=8) == kills
    assert receiver.ids() == {path: [of(State, path, n).id for n in range(count)] for path in PATHS}
    again = len(receiver.events) - len(deliveries)
    assert again <= kills * 8, "only what was under way came again"
    by_id: dict[str, Any] = {}
    for event in receiver.events:
        assert by_id.setdefault(event["id"], event) == event, "what comes again is the same"

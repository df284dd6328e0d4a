"""What a retry writes: the record as it was, to who had refused it, with its id; and what cannot be given again says why."""

import json
from typing import Any

import msgspec
import pytest

from schemas.codec import Codec
from schemas.records import TYPES, Reason, Record, Sample, Samples
from tests.harness.places import model
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from topology.namespace.topics import partition, topic
from uns.dlq.again import NotRetryable, retry
from uns.dlq.item import BadId, Item, Kind, Selection, place_of, readable
from uns.kafka.log import LogRecord
from uns.kafka.message import Headers, cloud_event, error_headers, identified, original, retried
from uns.testing import downtime

CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})
PLANT = Plant.model_validate(
    model() | {"sinks": {"mes": {"kind": "rest", "subscribe": {"filter": "acme/#", "classes": ["downtime"]}}}}
)
CELL = "acme/dallas/packaging/line-1/filler"
NUMBER = partition(Path.parse(CELL), 2)
RAW, DOWNTIME = topic(Path.parse(CELL), MessageClass.RAW), topic(Path.parse(CELL), MessageClass.DOWNTIME)
QUARANTINE = topic(Path.parse(CELL), MessageClass.QUARANTINE)
SAMPLES = Samples("plc", 7, (Sample("Good", 10, 1), Sample("Speed", 10, "fast"), Sample("Speed", 11, "slow")))
MINE: Headers = (("mine", b"kept"), *identified("plc/7", cloud_event("plc", Samples)))


def item(
    value: bytes | None, key: bytes | None = CELL.encode(), name: str = QUARANTINE, before: Headers = MINE, **why: Any
) -> Item:
    told = {
        "connector": "uns-processors",
        "stage": "TRANSFORMATION",
        "reason": "wrong_type",
        "words": "no",
        "topic": RAW,
    }
    return Item.of(LogRecord(name, NUMBER, 5, key, value, (*before, *error_headers(**{**told, **why})), 1_000))


def of_fold(record: Record, **why: Any) -> Item:
    return item(CODEC.encode(record), partition=NUMBER, offset=17, **why)


def test_of_samples_only_those_of_the_tag_are_given_again_under_the_same_id_and_number() -> None:
    found = retry(of_fold(SAMPLES, tag="Speed"), PLANT, CODEC)
    assert (found.message.topic, found.partition, found.message.key) == (RAW, NUMBER, CELL.encode())
    assert CODEC.decode(found.message.value) == msgspec.structs.replace(SAMPLES, samples=SAMPLES.samples[1:])
    assert found.message.headers == (*MINE, ("uns.retry-of", b"acme.dallas.packaging:%d:5" % NUMBER))


def test_two_bad_samples_of_one_tag_are_one_retry_and_those_of_another_tag_are_not() -> None:
    names = [retry(of_fold(SAMPLES, tag=tag), PLANT, CODEC).original for tag in ("Speed", "Speed", "Good")]
    assert len(set(names)) == 2
    assert names[0] == names[1]


def test_what_a_fold_refused_as_a_whole_is_given_again_byte_for_byte() -> None:
    reason = Reason(id="r1", started_at=1, code=9, by="anna")
    found = retry(of_fold(reason), PLANT, CODEC)
    assert found.message.value == CODEC.encode(reason)


def test_of_what_came_back_only_the_last_retry_is_named() -> None:
    again = retry(
        item(CODEC.encode(SAMPLES), before=(*MINE, ("uns.retry-of", b"x:0:1")), partition=1, offset=2), PLANT, CODEC
    )
    assert [value for name, value in again.message.headers if name == "uns.retry-of"] == [
        b"acme.dallas.packaging:%d:5" % NUMBER
    ]


def test_a_record_that_a_sink_refused_goes_to_that_sink_alone_with_its_place() -> None:
    refused = item(b"anything", connector="mes", stage="TASK_PUT", topic=DOWNTIME, partition=NUMBER, offset=3)
    found = retry(refused, PLANT, CODEC)
    assert refused.kind is Kind.SINK
    assert (found.message.topic, found.partition) == ("uns-internal.acme.retry", 0)
    assert retried(found.message.headers) == ("mes", (DOWNTIME, NUMBER, 3))
    assert original(found.message.headers) == (*MINE, ("uns.retry-of", refused.id.encode()))


def test_a_derived_record_that_its_topic_refused_goes_there_again() -> None:
    record = downtime(3, path=CELL)
    found = retry(item(CODEC.encode(record), stage="KAFKA_PRODUCE", topic=DOWNTIME, partition=NUMBER), PLANT, CODEC)
    assert (found.message.topic, found.partition, found.message.value) == (DOWNTIME, NUMBER, CODEC.encode(record))


def test_what_a_connector_could_read_of_an_unknown_place_is_written_as_the_connector_would_now() -> None:
    payload = json.dumps({"path": CELL, "tag": "Good", "at": 12, "value": 4, "quality": 0}).encode()
    given = {"stage": "VALUE_CONVERTER", "connector": "plc", "topic": CELL, "reason": "unknown_path"}
    found = retry(item(payload, None, "uns-internal.acme.quarantine", (), **given), PLANT, CODEC)
    assert CODEC.decode(found.message.value) == Samples("plc", 0, (Sample("Good", 12, 4),))
    assert (found.message.topic, found.partition, found.message.key) == (RAW, NUMBER, CELL.encode())
    fact = {"type": "Reason", "id": "r", "started_at": 1, "ended_at": None, "code": 3, "by": "anna", "comment": None}
    found = retry(item(json.dumps(fact).encode(), None, before=(), **given), PLANT, CODEC)
    assert CODEC.decode(found.message.value) == Reason(id="r", started_at=1, code=3, by="anna")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (item(b"x", cut_bytes=9_000_000, partition=0, offset=1), "was cut, it had 9000000 bytes"),
        (item(b"x", connector="old", stage="TASK_PUT", topic=DOWNTIME, partition=0, offset=1), "sink old is not in"),
        (item(b"x", b"No Path", connector="mes", stage="TASK_PUT", topic=DOWNTIME, partition=0, offset=1), "key is no path"),
        (item(b"x", partition=0, offset=1), "its bytes are no record"),
        (item(b"21.5 C", connector="plc", stage="VALUE_CONVERTER", topic="t/1", reason="bad_json"), "let its source say it again"),
        (item(b"nothing", connector="plc", stage="VALUE_CONVERTER", topic=CELL, reason="unknown_path"), "no reading or fact"),
        (item(b'{"path":"acme/dallas/packaging/line-1/gone","tag":"T","at":1,"value":1,"quality":0}', connector="plc", stage="VALUE_CONVERTER", topic=CELL, reason="unknown_path"), "still no machine or line"),
        (item(CODEC.encode(downtime(1, path=CELL)), partition=0, offset=1), "is no raw record"),
        (item(CODEC.encode(SAMPLES), stage="KAFKA_PRODUCE", topic=DOWNTIME, partition=0), "is no derived record"),
        (item(b'{"id": 1}', stage="KAFKA_PRODUCE", topic=DOWNTIME, reason="output_unwritable"), "its bytes are no record"),
        (item(CODEC.encode(SAMPLES), b"acme/dallas/gone/line-1/filler", partition=0, offset=1), "no area of the plant"),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_cannot_be_given_again_says_why(given: Item, words: str) -> None:
    with pytest.raises(NotRetryable, match=words):
        retry(given, PLANT, CODEC)


def test_an_id_says_where_the_record_lies() -> None:
    found = item(b"x")
    assert place_of(found.id) == (QUARANTINE, NUMBER, 5)
    for wrong in ("", "acme.dallas", "acme.dallas:x:1", "Acme:0:1", "acme:0"):
        with pytest.raises(BadId, match="uns dlq list"):
            place_of(wrong)


def test_a_selection_is_of_all_that_is_said() -> None:
    found = item(b"x", partition=0, offset=1)
    for wanted, meant in (
        (Selection(), True),
        (Selection(reasons=["wrong_type"], sources=["uns-processors"], paths=Filter.parse("acme/dallas/#")), True),
        (Selection(reasons=["late"]), False),
        (Selection(paths=Filter.parse("acme/leipzig/#")), False),
        (Selection(kinds=[Kind.SINK]), False),
        (Selection(begin=1_000_000, end=1_000_001), True),
        (Selection(end=1_000_000), False),
        (Selection(ids=[found.id]), True),
        (Selection(ids=["acme:0:1"]), False),
    ):
        assert (found in wanted) is meant, wanted


def test_a_key_of_another_place_is_shown_at_the_topics_place() -> None:
    assert str(item(b"x", b"other/site/area/line/cell").path) == "acme/dallas/packaging"
    assert str(item(b"x", None).path) == "acme/dallas/packaging"


def test_a_payload_is_text_where_a_person_can_read_it() -> None:
    assert readable(b"21.5 \xc2\xb0C") == ("text", "21.5 °C")
    assert readable(b"\x00\x01") == ("hex", "0001")
    assert readable(None) == ("text", "")

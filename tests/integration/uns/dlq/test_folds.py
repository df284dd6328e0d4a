"""What real processors refused is given again once the model has learnt, and counts; what is still wrong comes back."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from schemas.records import Reason, Sample, Samples
from tests.contract.rest_server import RestServer
from tests.harness import consume_all, eventually
from tests.integration.uns.dlq.test_dlq import Desk
from tests.integration.uns.runners.sink.site import DEADLINE_S
from topology.namespace.classes import MessageClass
from topology.namespace.topics import partition
from uns.kafka.message import cloud_event, identified
from uns.runtime.child import Child
from uns.runtime.clock import system
from uns.testing.patience import patient


@pytest.fixture
def desk(tmp_path: Path, kafka: str, registry: str, enterprise: str) -> Iterator[Desk]:
    # The sink of the site does not run here.
    found = Desk(tmp_path, kafka, registry, enterprise, "rest", RestServer().config)
    yield found
    found.stop()


def learn(desk: Desk, **codes: int) -> None:
    file = Path(desk._environ["UNS_PLANT"]) / "plant.yaml"
    model = yaml.safe_load(file.read_text(encoding="utf-8"))
    tags = {"State": {"role": "state"}, "Good": {"role": "good_count"}}
    reasons = {code: {"name": name, "category": "unplanned"} for name, code in codes.items()}
    model["types"]["filler"] |= {"tags": tags, "reasons": reasons}
    model["time"] = {"tick_s": 0.2}
    file.write_text(yaml.safe_dump(model), encoding="utf-8")


@pytest.mark.long
def test_a_reason_whose_code_the_model_learns_counts_and_a_wrong_value_comes_back(desk: Desk, tmp_path: Path) -> None:
    cell, now = desk.cells[0], system()

    def processors() -> Child:
        return Child([sys.executable, "-m", "uns", "run", "processors"], tmp_path / "processors.log", desk.environ)

    learn(desk, jam=1)
    reason = Reason(id="r-1", code=2, started_at=now - 60_000_000, by="anna")
    samples = Samples(
        "plc", 1, (Sample("Good", now - 60_000_000, 5), Sample("Good", now, "many"), Sample("State", now, 6))
    )
    for id_, record in (("anna/1", reason), ("plc/1", samples)):
        headers = list(identified(id_, cloud_event("test", type(record))))
        desk.put(cell, MessageClass.RAW, desk.codec.encode(record), headers=headers)
    assert desk.producer.flush(20) == 0
    child = processors()
    try:
        eventually(lambda: desk.dlq("list")["count"] == 2, DEADLINE_S, "both are refused")
        items = {item["reason"]: item for item in desk.dlq("list")["items"]}
        assert {item["kind"] for item in items.values()} == {"fold"}
        assert child.stop(patient(30)) == 0, child.tail()
        learn(desk, jam=1, drive=2)
        child = processors()
        assert desk.dlq("retry", "--all", "--by", "anna", "--why", "code 2 is in the model")["given"] == 2
        eventually(
            lambda: desk.states() == Counter(resolved=1, returned=1, open=1), DEADLINE_S, "one counts, one comes back"
        )
    finally:
        child.kill()
    [again] = desk.dlq("list")["items"]
    wrong = items.pop(again["reason"])
    assert again["headers"]["uns.retry-of"] == wrong["id"]
    assert desk.dlq("show", next(iter(items.values()))["id"])["state"] == "resolved"

    raw = [m for m in consume_all(desk.kafka, [desk.topic(MessageClass.RAW)]) if m.partition() == partition(cell, 2)]
    told = [(dict(m.headers() or []).get("ce_id"), desk.codec.decode(m.value())) for m in raw]
    assert [record for id_, record in told if id_ == b"anna/1"] == [reason, reason], "the same, under its id"
    assert [record.samples for id_, record in told if id_ == b"plc/1" and isinstance(record, Samples)] == [
        samples.samples,
        samples.samples[:2],  # those of the tag: the good one is the same sample again, and counts once
    ]

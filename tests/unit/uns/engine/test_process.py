"""Groups, crashes and restores of any shape say what one run over the log says."""

from collections.abc import Iterable, Mapping

import msgspec
import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Order, Sample, Samples, State, Tick, Value
from tests.harness.engine_process import CountFold, codec
from uns.engine.config import EngineConfig
from uns.engine.expected import expected_messages, expected_outputs
from uns.engine.failure import Exit, Fatal
from uns.engine.process import Partition, Processor
from uns.engine.rebuild import Rebuilt
from uns.engine.step import UNFINISHED, AreaTopics, Fence, Step
from uns.engine.transport import Budget, FetchedBatch, Membership
from uns.errors import UserError
from uns.kafka.log import LogRecord
from uns.kafka.message import Message
from uns.runtime.clock import system

RAW = "uns.acme.dallas.packaging.raw"
TP0 = TP(RAW, 0)
MEMBERSHIP = Membership("group", 7, "member", frozenset({TP0}))
CODEC = codec()


class Log:
    """Kafka as far as a commit goes: all of a transaction or nothing; a planned crash leaves nothing."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.changelog: dict[bytes, bytes] = {}
        self.offsets: dict[TP, int] = {}
        self.crash = False

    def open(self) -> None: ...

    def commit(
        self, messages: Iterable[tuple[int, Message]], offsets: Mapping[TP, int], membership: Membership
    ) -> None:
        if self.crash:
            raise Fatal(Exit.TRANSACTION, "planned")
        topics = AreaTopics(RAW)
        for _, message in messages:
            if message.topic != topics.changelog:
                self.messages.append(message)
            elif message.value is None:
                self.changelog.pop(message.key or b"")
            else:
                self.changelog[message.key or b""] = message.value
        self.offsets |= offsets

    def restore(self) -> Partition:
        topics = AreaTopics(RAW)
        step = Step(CountFold(), CODEC, topics, 0)
        for key, value in self.changelog.items():
            if (name := topics.state_name(key)) is not None:
                step.fold.restore(name, value)
        mark = self.changelog.get(topics.fence_key)
        start = msgspec.msgpack.decode(mark, type=Fence).next_offset if mark else 0
        return Partition(step, start, start)


def record(offset: int, kind: int) -> LogRecord:
    path = f"acme/dallas/packaging/line-1/cell-{kind % 3}".encode()
    values: list[Value] = [1, 2, float("nan"), True, "text", None]
    sample = Sample("T", offset, values[kind % len(values)])
    value: bytes | None = {
        7: CODEC.encode(Order(id="o", product="p", started_at=1)),
        8: b"\x07poison",
        9: None,
        10: CODEC.encode(Tick(at=offset, worker="w")),
    }.get(kind, CODEC.encode(Samples("s", offset, (sample,))))
    return LogRecord(RAW, 0, offset, b"no path!" if kind == 11 else path, value)


logs = st.lists(st.tuples(st.integers(0, 11), st.integers(1, 3)), max_size=40)


@settings(deadline=None)
@given(logs, st.data())
def test_any_grouping_and_any_crash_says_what_the_oracle_says(
    shape: list[tuple[int, int]], data: st.DataObject
) -> None:
    log, offset = [], 0
    for kind, step_by in shape:
        log.append(record(offset, kind))
        offset += step_by  # gaps: control records and aborted ones
    kafka = Log()
    processor = Processor(kafka, EngineConfig(), system, "w", (), lambda: False)
    partition = kafka.restore()
    while partition.next_offset < offset:
        start, end = partition.position, min(offset, partition.position + data.draw(st.integers(1, 20)))
        redelivered = data.draw(st.integers(0, 3))
        batch_start = max(0, start - redelivered)
        records = [r for r in log if batch_start <= r.offset < end]
        batch = FetchedBatch(MEMBERSHIP, TP0, min(start, batch_start), end, records, 0, offset)
        kafka.crash = data.draw(st.booleans()) and data.draw(st.booleans())
        try:
            processor.process([batch], {TP0: partition}, MEMBERSHIP)
            assert kafka.offsets[TP0] == partition.next_offset == end
        except Fatal:
            partition = kafka.restore()
    assert kafka.messages == list(expected_messages(Step(CountFold(), CODEC, AreaTopics(RAW), 0), log))


def test_a_batch_that_went_missing_ends_the_worker() -> None:
    processor = Processor(Log(), EngineConfig(), system, "w", (), lambda: False)
    late = FetchedBatch(MEMBERSHIP, TP0, 5, 6, [record(5, 0)], 0, 6)
    with pytest.raises(Fatal, match="never folded") as raised:
        processor.process([late], {TP0: Log().restore()}, MEMBERSHIP)
    assert raised.value.code is Exit.LOST_BATCH


class Away(Exception):
    pass


def test_a_registry_that_stays_away_ends_the_worker_and_quarantines_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Log()
    partition = kafka.restore()
    asked: list[object] = []

    def decode(source: object) -> object:
        asked.append(source)
        raise Away("connection refused")

    monkeypatch.setattr(partition.step, "decode", decode)
    config = EngineConfig(registry_retry_s=0.3)
    processor = Processor(kafka, config, system, "w", (Away,), lambda: False)
    with pytest.raises(Fatal, match="registry stays away") as raised:
        processor.process([FetchedBatch(MEMBERSHIP, TP0, 0, 1, [record(0, 0)], 0, 1)], {TP0: partition}, MEMBERSHIP)
    assert raised.value.code is Exit.REGISTRY
    assert len(asked) >= 2
    assert kafka.messages == []


def test_replay_gives_the_fold_s_own_words() -> None:
    step = Step(CountFold(), CODEC, AreaTopics(RAW), 0)
    inputs = [d for d in (step.decode(record(n, 0)) for n in range(3)) if isinstance(d.record, Samples)]
    from processors.base import Input

    said = list(expected_outputs(CountFold(), [Input(d.path, RAW, 0, d.source.offset, d.record) for d in inputs]))  # type: ignore[arg-type]
    assert [type(one) for one in said] == [State]


def test_membership_is_what_librdkafka_reads() -> None:
    assert MEMBERSHIP.metadata == b"CGMDv2:\x07\x00\x00\x00group\x00member\x00\x01"


def test_topics_of_an_area() -> None:
    topics = AreaTopics(RAW)
    assert topics.changelog == "uns-internal.acme.dallas.packaging.changelog"
    assert topics.quarantine == "uns-internal.acme.dallas.packaging.quarantine"
    assert topics.state_name(topics.state_key("a/b")) == "a/b"
    assert topics.state_name(topics.fence_key) is None
    assert topics.state_name(b"oee/state/a/b") is None


def test_budget_closes_and_opens() -> None:
    budget = Budget(10)
    budget.take(10)
    assert budget.used >= budget.limit
    budget.give(4)
    assert budget.used == 6
    budget.reset()
    assert budget.used == 0


def test_a_rebalance_must_outlast_a_transaction() -> None:
    with pytest.raises(UserError, match=r"^UNS_ENGINE_REBALANCE_TIMEOUT_S must not be below UNS_ENGINE_TRANS"):
        EngineConfig(rebalance_timeout_s=1, transaction_timeout_s=2)


def test_a_rebuilt_state_counts_with_its_last_transaction_only() -> None:
    topics, committed = AreaTopics(RAW), list[tuple[list[Message], Mapping[TP, int]]]()

    class Transactions(Log):
        def commit(
            self, messages: Iterable[tuple[int, Message]], offsets: Mapping[TP, int], membership: Membership
        ) -> None:
            committed.append(([message for _, message in messages], offsets))

    config = EngineConfig(group_mb=0.0001)
    processor = Processor(Transactions(), config, system, "worker", (), lambda: False)
    state = [Message(topics.changelog, topics.state_key(f"path/{n}"), bytes(60)) for n in range(9)]
    gone = Message(topics.changelog, topics.state_key("gone"), None)
    correction = Message("uns.acme.dallas.packaging.state", b"path", b"said")
    rebuilt = Rebuilt([gone, *state], [correction], Fence(70, 0, state_version=9))
    processor.commit_rebuilt(TP0, Step(CountFold(), CODEC, topics, 0), rebuilt, MEMBERSHIP)
    first, *middle, last = [messages for messages, _ in committed]
    fences = [msgspec.msgpack.decode(group[-1].value or b"", type=Fence) for group in (first, last)]
    assert [fence.state_version for fence in fences] == [UNFINISHED, CountFold.state_version]
    assert [fence.next_offset for fence in fences] == [70, 70]
    assert len(middle) > 2
    assert [message for group in middle for message in group] == [gone, *state]
    assert last[:-1] == [correction]
    assert all(offsets == {TP0: 70} for _, offsets in committed)

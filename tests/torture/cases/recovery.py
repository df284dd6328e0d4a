"""State that must be found again: from a compacted changelog, over a gap, against what the group says."""

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from tests.harness.waiting import eventually
from tests.torture.broker import Broker
from tests.torture.case import Stage, case
from tests.torture.oracle import fences, judge
from tests.torture.room import Room
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka.log import LogRecord


@case("cold-start")
def cold_start(stage: Stage) -> None:
    """The changelog is compacted and raw's retention has passed the fence: a cold start ends, and the gap is counted."""
    quick = {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "1000"}
    with (
        Broker(stage.folder("cold-start"), quick) as broker,
        Room(stage.services, partitions=1, seed=stage.seed, bootstrap=broker.address) as room,
    ):
        _compact_eagerly(room)
        with room.load() as load:
            room.worker()
            room.area.passed()
            first = fences(room.area, 0)[0].next_offset
            # The cleaner leaves the segment in use alone: load goes on until it has removed the fences of the past.
            eventually(lambda: fences(room.area, 0)[0].next_offset > first + 100, 120, "the changelog is compacted")
            load.stop()
        room.drained()
        fence = fences(room.area, 0)[-1].next_offset
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        log = room.area.written(MessageClass.RAW, 0)
        gap = fence + 60
        for future in room.admin.delete_records([TopicPartition(room.area.raw, 0, gap)]).values():
            future.result()
        worker = room.worker()
        worker.restored()
        room.area.passed()
        assert worker.metric("uns_engine_gap_offsets_total") == gap - fence
        room.drained()
        kept = [r for r in log if r.offset < fence] + room.area.written(MessageClass.RAW, 0)
        _judged(room, kept)


@case("retention-while-away", fast=True)
def retention_while_away(stage: Stage) -> None:
    """Raw's retention passes the fence of a running worker that is stopped: what is gone is counted and said."""
    with Room(stage.services, partitions=1, seed=stage.seed) as room:
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        room.worker()
        room.drained()
        fence = fences(room.area, 0)[-1].next_offset
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        log = room.area.written(MessageClass.RAW, 0)
        for future in room.admin.delete_records([TopicPartition(room.area.raw, 0, fence + 50)]).values():
            future.result()
        worker = room.worker()
        worker.restored()
        room.area.passed()
        said = [line for line in worker.lines() if "retention removed" in line["event"]]
        assert [(line["first"], line["count"]) for line in said] == [(fence, 50)]
        room.drained()
        _judged(room, [r for r in log if r.offset < fence] + room.area.written(MessageClass.RAW, 0))


@case("group-ahead", fast=True)
def group_ahead(stage: Stage) -> None:
    """An admin resets the group ahead of the fence, then behind it: the fence decides, and it is said."""
    with Room(stage.services, partitions=1, seed=stage.seed) as room:
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        room.worker()
        room.drained()
        for ahead in (True, False):
            room.say(*(room.machines.next(room.clock()) for _ in range(100)))
            fence = fences(room.area, 0)[-1].next_offset
            _reset(room, fence + 80 if ahead else fence - 80)
            worker = room.worker()
            worker.restored()
            room.area.passed()
            assert worker.metric("uns_engine_group_ahead_total") == ahead
            room.drained()
        room.exact()


@case("offsets-pending", fast=True)
def offsets_pending(stage: Stage) -> None:
    """Offsets of the group hang in a transaction that never ends: the fence decides, and nobody waits for them."""
    # As Kafka leaves them when a broker restarts in a commit and loses the marker of `__consumer_offsets`.
    with Room(stage.services, partitions=1, seed=stage.seed) as room:
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        room.worker()
        room.drained()
        other = Producer(
            room.settings.kafka(**{"transactional.id": room.area.group + "-gone", "transaction.timeout.ms": 600_000})
        )
        other.init_transactions(10)
        other.begin_transaction()
        group = Consumer(room.settings.kafka(**{"group.id": room.area.group}))
        other.send_offsets_to_transaction([TopicPartition(room.area.raw, 0, 50)], group.consumer_group_metadata(), 10)
        group.close()
        room.say(*(room.machines.next(room.clock()) for _ in range(100)))
        room.worker().restored()
        room.area.passed()
        other.abort_transaction(10)
        room.exact()


def _reset(room: Room, offset: int) -> None:
    request = ConsumerGroupTopicPartitions(room.area.group, [TopicPartition(room.area.raw, 0, offset)])

    def done() -> bool:
        try:
            for future in room.admin.alter_consumer_group_offsets([request]).values():
                future.result()
        except KafkaException:
            return False  # the group still has a member
        return True

    eventually(done, 30, "the group is reset")


def _judged(room: Room, log: list[LogRecord]) -> None:
    """Judges by the log as the worker found it: what retention took, it never saw."""
    judge(room.area, room.model, room.codec, logs={0: log}).assert_ok()


def _compact_eagerly(room: Room) -> None:
    name = topic(room.area.area, MessageClass.CHANGELOG)
    changes = {"min.cleanable.dirty.ratio": "0.001", "segment.ms": "1000", "min.compaction.lag.ms": "0"}
    entries = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in changes.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
    for future in room.admin.incremental_alter_configs([resource]).values():
        future.result()

"""Asks the broker what it has retained, for `uns sink verify`: the newest record of each topic. What was told before it is no
more on a broker, and is not compared."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path as FilePath

import msgspec

from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit.cloudevents import Unfit
from sinks.kit.digest import digest
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.ledger import FILE
from sinks.mqtt.link import ReadingLink
from sinks.mqtt.plan import known_of, prepared
from topology.namespace.classes import MessageClass

AT_ONCE = 500
_REVISIONS = 1_000
"""So many are told apart of one start."""
_LAST = 2**63 - 1


class _Hint(msgspec.Struct, array_like=True):
    path: str
    ingested_at: int


_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(_Hint).decode


def wanted(config: MirrorConfig, delivery: Delivery) -> Iterable[Wanted]:
    """What is to be retained on the record's topic, if no newer one follows. One that was taken back says of its topic only
    that it is not known what stands there: an earlier one, or nothing."""
    if config.sparkplug is not None:
        return
    try:
        one = prepared(config, delivery)
    except Unfit:
        return
    record = one.record
    order = min(max(record.started_at, 0) * _REVISIONS + min(record.revision, _REVISIONS - 1), _LAST)
    gone = record.withdrawn and record.message_class != MessageClass.CURRENT
    hint = _encode(_Hint(record.path, delivery.ingested_at))
    yield Wanted(one.topic, record.started_at, order, digest(one.payload.decode()), gone, hint)


async def found(
    name: str,
    config: MirrorConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Topics are asked for as any reader asks. Raises `Retryable`."""
    if config.sparkplug is not None:
        return
    removed = _removed(name, folder)
    link = ReadingLink(name, config)
    await link.open()
    try:
        waiting = expected()
        while some := list(islice(waiting, AT_ONCE)):
            retained = await link.retained([each.key for each in some])
            for each in some:
                if (one := _judged(config, each, retained.get(each.key), end, removed)) is not None:
                    yield one
    finally:
        await link.close()


def _judged(config: MirrorConfig, each: Wanted, payload: bytes | None, end: int, removed: dict[str, int]) -> Found | None:  # fmt: skip
    hint = _decode(each.hint)
    if not payload:
        expired = config.expiry_s is not None and hint.ingested_at / 1e6 + config.expiry_s < time.time()
        gone = hint.ingested_at <= removed.get(hint.path, -1)  # its machine has left the plant
        return Found(each.key, 0, unsure=True) if expired or gone else None
    known = known_of(each.key, payload)
    if known is not None and known.started_at >= end:
        return Found(each.key, 0, unsure=True)  # newer than what is compared
    return Found(each.key, digest(payload.decode(errors="replace")))


def _removed(name: str, folder: FilePath) -> dict[str, int]:
    """By the mirror's ledger, where it is on this machine. Raises `Retryable`."""
    file = folder / FILE
    if not file.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as ledger:
            return dict(ledger.execute("SELECT path, at FROM removed"))
    except sqlite3.Error as error:
        raise Retryable(f"sink {name}: the ledger {file} cannot be read: {error}") from error


def left_out(config: MirrorConfig) -> Iterable[str]:
    if config.sparkplug is not None:
        yield "a Sparkplug edge node retains nothing: what hosts have heard, they know alone"
        return
    yield "a broker has the newest of each topic alone: what was told before is not compared, nor a topic whose newest was taken back"  # fmt: skip
    if config.tags:
        yield "the topics of single tags are not compared"


verification = Verification(wanted, found, left_out)

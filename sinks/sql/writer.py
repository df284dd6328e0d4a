"""Writes batches to the tables: rows and positions in one transaction. Every call blocks; one thread uses it."""

import time
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from sinks.base import Delivery, Positions, Rejected, Retryable, Taken
from sinks.sql import database, tables
from sinks.sql.changes import Change, Maker, Prepared, newest, prepared, weight
from sinks.sql.config import SqlSinkConfig
from sinks.sql.fitting import Unfit
from sinks.sql.statements import OLD, Key, Target, add, change, found, remove, there, upsert
from sinks.sql.troubles import judged, told, words

log = structlog.get_logger()

ROWS_MAX = 10_000
BYTES_MAX = 8_000_000
"""Of one transaction."""
ASKED_MAX = 200
"""Keys that are asked for at once."""
IDLE_S = 60.0
"""After so long a connection is tried before it is relied on: databases and firewalls close those that are silent."""
WRITER = "#writer"
"""Stands where a topic would, in the row that says which instance of a sink writes: the one that opened last."""


class Writer:
    """One database. `open` before all the rest, and again after a `Retryable`."""

    def __init__(self, name: str, config: SqlSinkConfig) -> None:
        self._name, self._config = name, config
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._targets: list[Target] = []
        self._makers: list[Maker] = []
        self._offsets: Target | None = None
        self._epoch = 0
        self._rows_max = ROWS_MAX
        self._packet: int | None = None
        self._used = 0.0

    # -- connection --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connects, makes what is missing of ours, and becomes the one that writes. Raises `Retryable`."""
        self.close()
        self._engine = database.engine(self._config)
        self._connection = connection = database.connect(self._engine, self._config)
        try:
            if self._config.offsets_table is not None:
                self._offsets = tables.offsets_target(connection, self._config.offsets_table)
            self._targets = [tables.target(connection, self._config, mapping) for mapping in self._config.tables]
            self._makers = [
                Maker(self._config, number, target, self._config.scheme) for number, target in enumerate(self._targets)
            ]
            self._packet = database.packet_max(connection)
            connection.commit()
            if self._offsets is not None:
                database.begin(connection)
                self._epoch = (self._writer(connection, self._offsets) or 0) + 1
                self._put(connection, self._offsets, [self._place(WRITER, 0, self._epoch)])
                connection.commit()
        except (SQLAlchemyError, OSError) as error:
            self.close()
            raise self._retryable(error) from error
        except BaseException:
            self.close()
            raise
        self._used = time.monotonic()

    def close(self) -> None:
        """Ends the connection; whatever was not committed is undone."""
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        if connection is not None:
            database.close(connection)
        if engine is not None:
            engine.dispose()

    def _connected(self) -> Connection:
        if self._connection is not None and time.monotonic() - self._used > IDLE_S:
            try:
                self._connection.execute(select(1)).scalar()
                self._connection.rollback()
            except (SQLAlchemyError, OSError):
                self.open()
        if self._connection is None:
            raise Retryable(f"sink {self._name}: not connected to {self._config.url}")
        self._used = time.monotonic()
        return self._connection

    def _retryable(self, error: BaseException, progressed: bool = False) -> Retryable:
        return Retryable(
            f"sink {self._name}: database {self._config.url}: {told(error, self._config.scheme)}", progressed
        )

    # -- positions ---------------------------------------------------------------------------------------------

    def positions(self) -> Positions | None:
        """What the target keeps; None where it keeps none."""
        connection = self._connected()
        if self._offsets is None:
            return None
        columns = self._offsets.table.c
        try:
            asked = select(columns.topic, columns.part, columns.next_offset).where(columns.sink == self._name)
            kept = connection.execute(asked).all()
            connection.rollback()
        except (SQLAlchemyError, OSError) as error:
            raise self._retryable(error) from error
        return {(topic, part): offset for topic, part, offset in kept if topic != WRITER}

    def _place(self, topic: str, part: int, offset: int) -> Change:
        row = {"sink": self._name, "topic": topic, "part": part, "next_offset": offset}
        return Change(-1, (self._name, topic, part), row, offset)

    def _writer(self, connection: Connection, offsets: Target) -> int | None:
        """The number of the instance that opened last; the row is locked until the transaction ends."""
        row = connection.execute(there(offsets, [(self._name, WRITER, 0)])).first()
        return None if row is None else int(row[-1])

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, deliveries: Sequence[Delivery], positions: Positions) -> list[Rejected]:
        """In transactions of bounded size, the last of them with the positions; what the database refuses is found by
        halving, returned, and left out. What takes too long at once is written in smaller parts from then on."""
        connection = self._connected()
        rejected: list[Rejected] = []
        waiting = self._prepared(deliveries, rejected)
        progressed = False
        while True:
            part = self._part(waiting)
            refused: list[Rejected] = []
            try:
                database.begin(connection)
                self._fence(connection)
                self._write_some(connection, part, refused)
                if len(part) == len(waiting):
                    self._move(connection, short_of([*rejected, *refused], positions))
                connection.commit()
            except (SQLAlchemyError, OSError) as error:
                self._undo(connection)
                if judged(error, self._config.scheme).too_long and len(part) > 1:
                    self._rows_max = max(1, sum(len(each.changes) for each in part) // 2)
                    log.warning("too long for one statement", sink=self._name, rows_max=self._rows_max)
                    continue
                raise self._retryable(error, progressed) from error
            except BaseException:
                self._undo(connection)
                raise
            rejected += refused
            progressed = True
            self._rows_max = min(ROWS_MAX, self._rows_max + max(1, self._rows_max // 10))
            waiting = waiting[len(part) :]
            if not waiting:
                self._used = time.monotonic()
                places = {id(delivery): place for place, delivery in enumerate(deliveries)}
                return sorted(rejected, key=lambda refusal: places[id(refusal.delivery)])

    def _fence(self, connection: Connection) -> None:
        """Raises `Taken` where another instance of the sink has opened since: two must not move the positions."""
        if self._offsets is not None and self._writer(connection, self._offsets) != self._epoch:
            raise Taken(f"sink {self._name}: another instance of this sink writes to {self._config.url}")

    def _undo(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except (SQLAlchemyError, OSError):
            self.close()

    def _prepared(self, deliveries: Sequence[Delivery], rejected: list[Rejected]) -> list[Prepared]:
        """The changes of each; what makes none is rejected."""
        made = []
        for delivery in deliveries:
            try:
                each = prepared(self._makers, delivery)
                self._check_packet(each)
            except Unfit as error:
                rejected.append(_rejected(delivery, error, self._config.scheme))
                continue
            made.append(each)
        return made

    def _check_packet(self, each: Prepared) -> None:
        """Raises `Unfit` for a row on which MariaDB and MySQL would end the connection: quotes may double it."""
        if self._packet is None or each.bytes <= self._packet // 8:
            return
        if (largest := max(map(weight, each.changes), default=0)) > self._packet // 2:
            raise Unfit(
                f"a row of {largest} bytes; the database takes {self._packet} at once: raise max_allowed_packet"
            )

    def _part(self, waiting: Sequence[Prepared]) -> Sequence[Prepared]:
        """As many as one transaction takes; one at least."""
        rows, bytes_ = 0, 0
        for number, each in enumerate(waiting):
            rows += len(each.changes)
            bytes_ += each.bytes
            if number and (rows > self._rows_max or bytes_ > BYTES_MAX):
                return waiting[:number]
        return waiting

    def _write_some(self, connection: Connection, part: Sequence[Prepared], rejected: list[Rejected]) -> None:
        if not any(each.changes for each in part):
            return
        savepoint = connection.begin_nested()
        try:
            self._apply(connection, [change for each in part for change in each.changes])
            savepoint.commit()
        except (SQLAlchemyError, OverflowError, ValueError, TypeError) as error:
            if not judged(error, self._config.scheme).of_record:
                raise  # after a deadlock or on a full disk the savepoint is gone with the whole transaction
            savepoint.rollback()
            if len(part) == 1:
                rejected.append(_rejected(part[0].delivery, error, self._config.scheme))
                return
            middle = len(part) // 2
            self._write_some(connection, part[:middle], rejected)
            self._write_some(connection, part[middle:], rejected)

    def _apply(self, connection: Connection, changes: Sequence[Change]) -> None:
        for number, target in enumerate(self._targets):
            if own := [each for each in changes if each.target == number]:
                self._put(connection, target, newest(own))

    def _put(self, connection: Connection, target: Target, changes: Sequence[Change]) -> None:
        """One change a row at most."""
        new = [each for each in changes if each.row is not None and not each.only_there]
        others = [each for each in changes if each.row is None or each.only_there]
        if new and (statement := upsert(target, self._config.scheme)) is not None:
            connection.execute(statement, [each.row or {} for each in new])
            new = []
        known = _known(connection, target, [each.key for each in (*new, *others)])
        stale = [each for each in (*new, *others) if each.key in known]
        if added := [each.row or {} for each in new if each.key not in known]:
            connection.execute(add(target), added)
        if changed := [_parameters(target, each) for each in stale if each.row is not None]:
            connection.execute(change(target), changed)
        if removed := [_parameters(target, each) for each in stale if each.row is None]:
            connection.execute(remove(target), removed)

    def _move(self, connection: Connection, positions: Positions) -> None:
        if self._offsets is not None and positions:
            places = [self._place(topic, part, offset) for (topic, part), offset in positions.items()]
            self._put(connection, self._offsets, places)


def _known(connection: Connection, target: Target, keys: Sequence[Key]) -> set[Key]:
    """Those of the keys that are there."""
    known: set[Key] = set()
    for begin in range(0, len(keys), ASKED_MAX):
        answer = connection.execute(there(target, keys[begin : begin + ASKED_MAX]))
        known.update(tuple(row[: len(target.key)]) for row in answer)
    return known


def _parameters(target: Target, change: Change) -> dict[str, Any]:
    """Of a statement that changes or removes a row."""
    values = {name: change.row[name] for name in target.others} if change.row is not None else {}
    guard = {OLD: change.revision} if target.revision is not None else {}
    return {**values, **found(target, change.key), **guard}


def short_of(rejected: Sequence[Rejected], positions: Positions) -> Positions:
    """Positions that do not pass a rejected record: until it is in quarantine, a crash must bring it again."""
    short = dict(positions)
    for refusal in rejected:
        delivery = refusal.delivery
        place = delivery.topic, delivery.partition
        short[place] = min(delivery.offset, short.get(place, delivery.offset))
    return short


def _rejected(delivery: Delivery, error: BaseException, dialect: str) -> Rejected:
    return Rejected(delivery, judged(error, dialect).reason, words(error))

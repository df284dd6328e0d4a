"""All tables of a lake: what they know, a commit of what was gathered, and the tidying afterwards. Blocking."""

import time
from datetime import UTC, datetime

import pyarrow as pa
import structlog

from sinks.base import Retryable, Taken
from sinks.lake.config import LakeConfig
from sinks.lake.format import LakeTable, opened
from sinks.lake.gathered import Ends, Gathered, Place
from sinks.lake.rows import home
from sinks.lake.tidy import plan
from topology.namespace.classes import MessageClass
from topology.namespace.topics import parse_topic

log = structlog.get_logger()
MB = 1_000_000
LOOK_COMMITS = 16
"""A table is looked through for small files each time it was committed to so often, and at the first time."""
VACUUM_S = 86_400.0
AGAIN_S = 3_600.0
"""After tidying failed, no sooner."""


class Memory:
    """What outlives a closing and opening: rows that the runner takes for written, and how the tables stood for us."""

    def __init__(self) -> None:
        self.gathered: Gathered[pa.RecordBatch] = Gathered()
        self.stored: Ends = {}
        """Positions that are durable."""
        self.begin: Ends | None = None
        """As they were when it was opened first."""
        self.before: set[Place] = set()
        """Places of which something came that lies before them."""
        self.versions: dict[str, int | None] = {}
        """Table → version of our last commit to it."""
        self.unsure: dict[str, int] = {}
        """Table → version of a commit of which it is not known whether it took place."""
        self.commits: dict[str, int] = {}
        """Table → how many since it was last looked through, or first committed to."""
        self.vacuumed: dict[str, float] = {}
        self.not_before = 0.0
        """When to tidy again."""


class Tables:
    """Of one sink."""

    def __init__(self, name: str, config: LakeConfig, memory: Memory) -> None:
        """Raises `OSError` or `BadSecret` for a secret that cannot be used."""
        self._name, self._config, self._memory = name, config, memory
        self._places, self._tables = opened(name, config)

    def open(self) -> None:
        """Reads what is there; a commit that looked as if it had failed and did take place is taken note of. Raises
        `Retryable`, and `Taken` where another instance has written since."""
        memory = self._memory
        self._places.open()
        for name, table in self._tables.items():
            table.open()
            version = table.last_version()
            unsure = memory.unsure.get(name)
            if name in memory.versions and version not in (memory.versions[name], unsure):
                raise Taken(f"lake {self._name}: another instance of this sink has written to {name}")
            if unsure is not None and version == unsure:
                memory.stored.update(self._moved(name))
                memory.gathered.committed(name)
            memory.versions[name] = version
            memory.unsure.pop(name, None)
        memory.stored.update(self.positions())
        if memory.begin is None:
            memory.begin = dict(memory.stored)

    def watch(self, place: Place, offset: int) -> None:
        """A record that is in the lake already has come again; where it lies before what was read on from, that is odd."""
        memory = self._memory
        if offset < (memory.begin or {}).get(place, 0) and place not in memory.before:
            memory.before.add(place)
            log.warning(
                "records come from before the position in the lake, and are not written again",
                sink=self._name,
                topic=place[0],
                partition=place[1],
                offset=offset,
                hint="was the topic deleted and made anew? then the sink needs a new name and a new url",
            )

    def positions(self) -> Ends:
        """Of every place that has one."""
        at_home = [place for place in self._places.known if parse_topic(place[0])[1] is not MessageClass.RETRY]
        found = {place: self._home(place).position(place) for place in at_home}
        return {place: offset for place, offset in found.items() if offset is not None}

    def rows_end(self, table: str, place: Place) -> int:
        """Rows below this offset are in the table."""
        return self._tables[table].rows_end(place)

    def commit(self) -> None:
        """All that was gathered, table by table. Raises `Retryable`; what is committed by then stays so."""
        memory, gathered = self._memory, self._memory.gathered
        self._places.add({*gathered.positions, *(place for name in gathered.tables() for place in gathered.ends(name))})
        for name in self._order():
            table = self._tables[name]
            moved, version = self._moved(name), table.next_version()
            memory.unsure[name] = version
            table.append(gathered.rows(name), gathered.ends(name), moved, version)
            del memory.unsure[name]
            memory.versions[name] = version
            memory.stored.update(moved)
            gathered.committed(name)
            memory.commits[name] = memory.commits.get(name, LOOK_COMMITS - 1) + 1
        gathered.settled()

    def tidy(self) -> None:
        """One step at a time, so that writing is never held up for long. What fails is logged, and tried later."""
        memory, now = self._memory, time.monotonic()
        if now < memory.not_before:
            return
        for name, commits in memory.commits.items():
            table = self._tables[name]
            try:
                if self._config.compact and commits >= LOOK_COMMITS:
                    self._compact(table)
                    memory.commits[name] = 0
                if self._config.keep_h is not None and now - memory.vacuumed.get(name, -VACUUM_S) >= VACUUM_S:
                    deleted = table.vacuum(self._config.keep_h)
                    memory.vacuumed[name] = now
                    log.debug("vacuumed", sink=self._name, table=name, files=deleted)
            except Retryable as error:
                memory.not_before = now + AGAIN_S
                log.warning("the lake could not be tidied", sink=self._name, table=name, error=str(error))
                return

    def _compact(self, table: LakeTable) -> None:
        for merge in plan(table.files(), datetime.now(UTC), self._config.file_mb * MB):
            table.merge(merge, self._config.z_order)
            log.debug("compacted", sink=self._name, table=table.name, site=merge.site, day=str(merge.day))

    def _order(self) -> list[str]:
        """Tables to commit to, homes last: a position must not pass rows that are in no table."""
        gathered = self._memory.gathered
        homes = {self._home(place).name for place in gathered.positions}
        others = [name for name in gathered.tables() if name not in homes]
        return others + sorted(name for name in homes if gathered.rows(name) or self._moved(name))

    def _moved(self, name: str) -> Ends:
        """Positions to be stored in a table."""
        memory = self._memory
        return {
            place: offset
            for place, offset in memory.gathered.positions.items()
            if self._home(place).name == name and offset > memory.stored.get(place, -1)
        }

    def _home(self, place: Place) -> LakeTable:
        _, message_class = parse_topic(place[0])
        return self._tables[home(message_class)]

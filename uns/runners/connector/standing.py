"""Whether another process on any machine has this connector's name: seen by a Kafka group of which each is a member.

The lock of the spool keeps two processes of one machine apart. Two machines share nothing but Kafka, so a connector joins the
group of its name and reads nothing by it. It joins once nobody else is in it; who is in the group already goes on, and
notices nothing. A member of the same spool is this process's own predecessor, which was killed: its spool is locked by us.
"""

import platform
import threading
import time
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka import clients
from uns.runtime.settings import Settings

log = structlog.get_logger()

SESSION_S = 10.0
"""So long after its end a process that was killed is a member still."""
PATIENCE_S = 1.5 * SESSION_S
"""So long a member of another spool is waited for to go."""
ASK_S = 1.0
ANSWER_S = 3.0
POLL_S = 0.2
IDENTITY = "identity"


def group(plant: Plant, name: str) -> str:
    """Other plants on the same Kafka have connectors of that name, too."""
    return f"uns-connector-{plant.enterprise}-{name}"


class Standing:
    """This connector's place in the group. While Kafka does not answer, nobody is in anybody's way."""

    def __init__(self, settings: Settings, name: str, plant: Plant, folder: Path, leave: Callable[[str], None]) -> None:
        """`folder`: the spool's. `leave` is called at most once, from the thread, with the words that say who else runs."""
        self._settings, self._name, self._leave = settings, name, leave
        self._group = group(plant, name)
        self._topics = [topic(area, MessageClass.RAW) for area in plant.areas()]
        self._identity = _identity(folder)
        self._stopped = threading.Event()
        self._joined = self._said = False
        self._thread = threading.Thread(target=self._run, name="standing", daemon=True)

    def taken(self) -> str | None:
        """Says who else runs, after waiting for it to go; None where nobody does, or Kafka does not answer. Blocks."""
        admin, since = clients.admin(self._settings), time.monotonic()
        while others := self._others(admin):
            if time.monotonic() - since > PATIENCE_S:
                return self._words(others)
            if not self._said:
                log.warning("another process has this name", connector=self._name, machine=", ".join(others))
                self._said = True
            time.sleep(ASK_S)
        return None

    def start(self) -> None:
        """Joins the group as soon as Kafka answers, and stays in it."""
        self._thread.start()

    def close(self) -> None:
        """Leaves the group, so that another may run at once. Waits for it as long as for an answer."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_S)

    def _run(self) -> None:
        try:
            consumer = clients.consumer(self._settings, self._group, self._membership())
            try:
                self._stay(clients.admin(self._settings), consumer)
            finally:
                consumer.close()
        except KafkaException as error:  # no right to the group, say: what follows is as it was without it
            log.warning("not seen by other machines", connector=self._name, error=error.args[0].str())

    def _membership(self) -> dict[str, str | int]:
        session_ms = round(SESSION_S * 1000)
        client = f"{self._identity}/{platform.node()}"
        return {"client.id": client, "session.timeout.ms": session_ms, "auto.offset.reset": "latest"}

    def _stay(self, admin: AdminClient, consumer: Consumer) -> None:
        consumer.subscribe(self._topics, on_assign=self._idle)
        since: float | None = None
        while not self._stopped.is_set():
            consumer.poll(POLL_S)
            if not self._joined:
                continue
            since = since or time.monotonic()
            others = self._others(admin)
            # Two that began at one time, or while Kafka was away, have both seen nobody: one of them goes.
            if others and min(others.values()) < self._identity:
                if time.monotonic() - since > PATIENCE_S:
                    self._leave(self._words(others))
                    return
            elif others is not None:
                self._joined, since = False, None  # until the members change, and are given their parts anew

    def _idle(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Takes what it is given, and reads none of it."""
        consumer.assign(partitions)
        consumer.pause(partitions)
        self._joined = True

    def _words(self, others: Collection[str]) -> str:
        return (
            f"connector {self._name} runs already, on {', '.join(sorted(others))}; two at once would take the source from "
            "each other. Stop that one, or give this one another name"
        )

    def _others(self, admin: AdminClient) -> dict[str, str] | None:
        """Machine → identity of each other member; None where Kafka does not say."""
        try:
            asked = admin.describe_consumer_groups([self._group], request_timeout=ANSWER_S)
            members = asked[self._group].result().members
        except KafkaException as error:
            log.debug("members not known", connector=self._name, error=error.args[0].str())
            return None
        known = [member.client_id.partition("/") for member in members]
        return {machine or "a machine without a name": of for of, _, machine in known if of != self._identity}


def _identity(folder: Path) -> str:
    """What names the spool, wherever its folder is mounted."""
    file = folder / IDENTITY
    if not file.exists():
        file.write_text(uuid.uuid4().hex, encoding="ascii")
    return file.read_text(encoding="ascii").strip()

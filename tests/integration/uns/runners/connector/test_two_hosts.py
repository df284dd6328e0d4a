"""Two hosts with a connector of one name, live: one reads, the other says who does and stands by; whoever dies or is cut off,
nothing is lost, and one reads in the end. Two hosts are two state folders that share nothing but Kafka."""

import platform
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import pytest
from confluent_kafka.admin import AdminClient

from schemas.records import Samples
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, Machine, Process, World, machine, mqtt
from tests.harness.half_open import half_open
from tests.torture.broker import Broker
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.runtime.ports import HOST, free_port
from uns.testing.patience import patient

LEASE_S = 2.0


class Front(NamedTuple):
    """A broker that can be killed, with a second port; what it tells clients who come by that to go to is `told`."""

    broker: Broker
    port: int
    told: int


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    back, told, port = free_port(), free_port(), free_port()
    advertised = {"advertised.listeners": f"CLIENT://{HOST}:{port},OUTSIDE://{HOST}:{told}"}
    with Broker(tmp_path_factory.mktemp("kafka"), advertised, f"{HOST}:{back}", port) as broker:
        yield Front(broker, back, told)


@dataclass
class Pair:
    """A broker, and a machine that two hosts read."""

    broker: Broker
    world: World
    hosts: list[World]
    plc: Machine
    proxied_port: int
    """The broker's second port; what it tells clients to go to is `front_port`."""
    front_port: int

    @classmethod
    @contextmanager
    def made(
        cls, folder: Path, front: "Front", registry: str, mqtt_broker: MqttBroker, enterprise: str
    ) -> Iterator[Self]:
        if not mqtt_broker.persistent:
            pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
        broker = front.broker
        with machine(mqtt_broker, enterprise) as plc:
            world = World.make(folder, broker.address, registry, enterprise, mqtt(mqtt_broker, enterprise))
            hosts = [
                replace(
                    world,
                    settings=world.settings.model_copy(
                        update={"state_dir": folder / name, "lease_s": round(patient(LEASE_S), 1)}
                    ),
                )
                for name in ("here", "there")
            ]
            yield cls(broker, world, hosts, plc, front.port, front.told)

    def said(self) -> list[int]:
        """The values in `raw`, as often as they are there."""
        found = []
        for message in self.world.messages(MessageClass.RAW):
            record = self.world.codec.decode(message.value())
            if isinstance(record, Samples):
                found += [int(sample.value or 0) for sample in record.samples]
        return found

    def arrives(self) -> None:
        """All that the machine has said gets to `raw`, whoever read it."""
        wanted = self.plc.said
        eventually(lambda: len(set(self.said())) == wanted, DEADLINE_S, f"{wanted} values in raw")
        assert set(self.said()) == set(range(1, wanted + 1))


def stands_by(process: Process) -> str:
    """What it says of the other one, once it stands by."""
    return str(
        eventually(
            lambda: next((why for why in process.reasons() if "runs already, on" in why), ""),
            DEADLINE_S,
            process.log(),
        )
    )


def reads(process: Process) -> bool:
    """Whether it is ready, which who stands by is not."""
    return not process.reasons()


@pytest.mark.long
def test_one_reads_and_the_other_takes_over(
    front: Front, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    with Pair.made(tmp_path, front, registry, mqtt_broker, enterprise) as pair:
        here, there = pair.hosts
        with here.process() as first:
            first.ready()
            with there.process() as second:
                words = stands_by(second)
                assert f"on {platform.node()} (pid {first.pid}) since 20" in words
                assert "takes over once that one has stopped" in words
                assert "uns_connector_standing_by" in second.metrics()
                assert 'uns_connector_standing_by{connector="plc"} 1.0' in second.metrics()
                pair.plc.say(5)
                pair.arrives()
                assert (here.ledger().published, there.ledger().read) == (5, 0)
                assert first.reasons() == [], "the first notices nothing"
                first.kill()
                pair.plc.say(5)
                second.ready()
                pair.arrives()
                with here.process() as again:  # the one that was killed is the second now
                    assert f"(pid {second.pid})" in stands_by(again)
                    assert second.terminate() == 0
                    again.ready()
                    pair.plc.say(5)
                    pair.arrives()
                    assert again.terminate() == 0
        assert all(host.ledger().lost == 0 and not host.ledger().pending for host in pair.hosts)
        assert "Traceback" not in first.log() + second.log() + again.log()


@pytest.mark.long
def test_without_the_topic_it_reads_and_says_that_it_sees_nobody(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    """As after an upgrade, before `uns apply`."""
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    name = topic(Place.parse(enterprise), MessageClass.LEASE)
    admin = AdminClient({"bootstrap.servers": kafka})  # kept: with it the answer would go
    admin.delete_topics([name])[name].result()
    with machine(mqtt_broker, enterprise) as plc, world.process() as process:
        process.ready()
        plc.say(5)
        eventually(lambda: world.ledger().published == 5, DEADLINE_S, process.log())
        eventually(lambda: "other hosts are not seen" in process.log(), DEADLINE_S, process.log())
        assert name in process.log()
        assert process.terminate() == 0


@pytest.mark.long
@pytest.mark.parametrize("cut", ["link", "sleep"])
def test_after_a_split_the_loser_stops_and_publishes_what_it_read(
    front: Front, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path, cut: str
) -> None:
    """The first one's link to Kafka is half open, or its host sleeps. It goes on reading; so does the other, which took over."""
    with (
        Pair.made(tmp_path, front, registry, mqtt_broker, enterprise) as pair,
        half_open(pair.proxied_port, pair.front_port) as proxy,
    ):
        here, there = pair.hosts
        here = replace(here, settings=here.settings.model_copy(update={"bootstrap": f"{HOST}:{pair.front_port}"}))
        with here.process() as first, there.process() as second:
            eventually(lambda: reads(first) or reads(second), DEADLINE_S, first.log())
            if reads(second):  # it was quicker; then it gives way once, and waits
                assert second.terminate() == 0
                first.ready()
                second = there.process()
            stands_by(second)
            pair.plc.say(3)
            pair.arrives()
            if cut == "link":
                proxy.silent = True
            else:
                first._child.send_signal(signal.SIGSTOP)
            pair.plc.say(10)
            eventually(lambda: "source open" in second.log(), DEADLINE_S, second.log())
            pair.plc.say(10)
            if cut == "link":
                proxy.mend()
            else:
                first._child.send_signal(signal.SIGCONT)
            assert f"(pid {second.pid})" in stands_by(first)
            pair.plc.say(10)
            second.ready()
            pair.arrives()
            eventually(lambda: not here.ledger().pending, DEADLINE_S, "what the loser read is published")
            assert second.terminate() == 0
            assert first.ready().terminate() == 0
        assert [host.ledger().lost for host in pair.hosts] == [0, 0]


@pytest.mark.timeout(900)
@pytest.mark.long
@pytest.mark.parametrize("rounds", [20])
def test_through_kills_of_hosts_and_of_kafka_nothing_is_lost(
    front: Front, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(rounds)
    with Pair.made(tmp_path, front, registry, mqtt_broker, enterprise) as pair:
        running = [host.process() for host in pair.hosts]
        ends = threading.Event()

        def talk() -> None:
            while not ends.wait(0.05):
                pair.plc.say(1)

        one_reads(running)  # from its session on the broker keeps what is said
        talker = threading.Thread(target=talk)
        talker.start()
        try:
            for number in range(rounds):
                holder = one_reads(running)
                what = ("host", "both", "kafka")[number % 3]
                before = pair.plc.said
                if what != "host":
                    pair.broker.kill()
                if what != "kafka":
                    running[holder].kill()
                    if chance.random() < 0.5:
                        running[holder] = pair.hosts[holder].process()
                if what != "host":
                    eventually(lambda before=before: pair.plc.said > before + 5)  # type: ignore[misc]
                    pair.broker.start()
                one_reads(running, but=holder if running[holder]._child.poll() is not None else None)
                if running[holder]._child.poll() is not None:
                    running[holder] = pair.hosts[holder].process()
            one_reads(running)
        except BaseException:
            for process in running:
                process.kill()
            raise
        finally:
            ends.set()
            talker.join()
        try:
            pair.arrives()
            assert [process.terminate() for process in running] == [0, 0]
        finally:
            for process in running:
                process.kill()
        assert [host.ledger().lost for host in pair.hosts] == [0, 0]
        assert "Traceback" not in "".join(process.log() for process in running)


def one_reads(running: list[Process], but: int | None = None) -> int:
    """Which of them reads, once it is one, and the other says so or is dead (`but`)."""

    def found() -> list[int]:
        alive = [n for n in range(len(running)) if n != but]
        readers = [n for n in alive if reads(running[n])]
        waiting = [n for n in alive if n not in readers]
        told = all(any("runs already, on" in why for why in running[n].reasons()) for n in waiting)
        return readers if len(readers) == 1 and told else []

    return eventually(found, DEADLINE_S, "one reads and the other says so")[0]

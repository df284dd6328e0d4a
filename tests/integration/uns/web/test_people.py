"""A reason's whole way: a person gives it at the page, and it changes the Pareto, stands in the audit, survives, and is theirs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from schemas.records import Downtime
from tests.harness import eventually
from tests.harness.line_logs import EXECUTE, MINUTE, STOPPED, T0, Told, samples
from tests.harness.visitor import Visitor
from tests.harness.worked_area import ROOT, WorkedArea, end_worker
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka.log import read_all
from uns.local.kafka import Kafka
from uns.runtime.ports import free_port
from uns.web.access import passwords
from uns.web.access.users import User, Users, write

pytestmark = pytest.mark.long

SECRET = "correct horse battery"
STOP, OVER, NOW = T0 + 20 * MINUTE, T0 + 25 * MINUTE, T0 + 30 * MINUTE
TYPE = {
    "tags": {"State": {"role": "state", "map": "packml"}, "Good": {"role": "good_count"}},
    "ideal_cycle_s": 6.0,
    "silent_after_s": None,
    "reasons": {101: {"name": "jam", "category": "micro"}, 201: {"name": "drive fault", "category": "breakdown"}},
}


def model() -> str:
    """A plant with `{enterprise}`."""
    lines = {"line-1": {"cells": {"filler": "filler"}}}
    areas = {"packaging": {"lines": lines}}
    namespace = {"enterprise": "ENTERPRISE", "sites": {"dallas": {"areas": areas}}}
    text = yaml.safe_dump({"namespace": namespace, "types": {"filler": TYPE}, "time": {"horizon_h": 8}})
    return text.replace("{", "{{").replace("}", "}}").replace("ENTERPRISE", "{enterprise}")


def morning() -> list[Told]:
    return [
        samples(T0, State=EXECUTE, Good=0),
        samples(STOP, State=STOPPED),
        samples(OVER, State=EXECUTE),
    ]


class Shop:
    """A worker and a page over an area of their own, with users."""

    def __init__(self, area: WorkedArea) -> None:
        self.area, self.port = area, free_port()
        self.line = f"{area.enterprise}/dallas/packaging/line-1"
        self.cell = f"{self.line}/filler"
        self.log = area.folder / "page.log"
        kept = passwords.hashed(SECRET)
        grants = {
            "ann": {f"{area.enterprise}/dallas": "operator"},
            "eve": {"#": "viewer"},
            "bob": {f"{area.enterprise}/dallas2": "admin"},
        }
        users = Users(users={name: User(password=kept, roles=roles) for name, roles in grants.items()})
        write(area.folder / "state" / "users.yaml", users)

    @contextmanager
    def page(self) -> Iterator[None]:
        environ = self.area.environ | {"PATH": "/usr/bin:/bin", "HOME": str(self.area.folder)}
        command = [sys.executable, "-m", "uns", "run", "page", "--port", str(self.port)]
        with self.log.open("ab") as output:
            process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=output, stderr=output)

        def answers() -> bool:
            assert process.poll() is None, self.log.read_text()
            try:
                return httpx2.get(f"http://127.0.0.1:{self.port}/login", timeout=5).status_code == 200
            except httpx2.HTTPError:
                return False

        try:
            eventually(answers, 60, "the page")
            yield
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def worker(self) -> Iterator[None]:
        worker = self.area.worker()
        try:
            yield
        finally:
            end_worker(worker)

    @contextmanager
    def visitor(self, user: str) -> Iterator[Visitor]:
        with Visitor(self.port) as visitor:
            assert visitor.sign_in(user, SECRET).status_code == 200
            yield visitor

    def reasons(self) -> list[Any]:
        """Newest revisions of the stop."""
        name = topic(self.area.area, MessageClass.DOWNTIME)
        newest: dict[str, Downtime] = {}
        for message in read_all(self.area.settings, [(name, 0)]):
            record = self.area.codec.decode(message.value or b"")
            assert isinstance(record, Downtime)
            newest[record.natural_id] = record
        return [of for of in newest.values() if not of.withdrawn]


@pytest.fixture
def shop(registry: str, tmp_path: Path) -> Iterator[Shop]:
    """With a Kafka of its own: a page shows all that is there, and other tests' plants have other times."""
    from tests.harness.registries import register_all

    register_all(registry, tmp_path / "schemas")
    broker = Kafka(tmp_path / "kafka")
    try:
        area = WorkedArea.made(broker.start(), registry, tmp_path, model(), NOW, {"retention.ms": "-1"})
        area.tell(morning())
        yield Shop(area)
    finally:
        broker.stop()


def bars(pareto: Any) -> set[str | None]:
    return {bar["reason"] for bar in pareto["bars"]}


def test_a_reason_given_on_the_page_is_everywhere_and_is_theirs_who_gave_it(shop: Shop) -> None:
    said = {"path": shop.cell, "code": 201, "started_at": STOP, "comment": "coupling slipped"}
    with shop.worker(), shop.page():
        with Visitor(shop.port) as nobody:
            assert nobody.act("reason", id="nobodys-deed", **said).status_code == 401
        for name, words in (("eve", "it takes the role operator"), ("bob", "it takes the role operator")):
            with shop.visitor(name) as visitor:
                refused = visitor.act("reason", id=f"{name}s-deed", **said)
                assert refused.status_code == 403
                assert words in refused.json()["problem"]
        with shop.visitor("ann") as ann:
            before = ann.until("line", shop.line, "pareto", lambda pareto: pareto["bars"])
            assert bars(before) == {None}
            begun = time.monotonic()
            for _ in range(2):  # a browser that heard no answer sends it again
                assert ann.act("reason", id="anns-deed", **said).status_code == 200
            after = ann.until("line", shop.line, "pareto", lambda pareto: bars(pareto) == {"drive fault"})
            print(f"the Pareto changed {time.monotonic() - begun:.2f} s after the reason was given")
            assert after["total"] == before["total"]
        (stop,) = shop.reasons()
        assert (stop.reason, stop.reason_by) == ("drive fault", "ann")
        audit = shop.area.invoke("audit", stop.id)
        assert audit.exit_code == 0, audit.output
        assert "ann" in audit.output
        assert "coupling slipped" in audit.output or "201" in audit.output
        with shop.visitor("bob") as bob:
            with bob.live() as socket:
                socket.send(f'{{"slot": "main", "screen": "line", "place": "{shop.line}"}}')
                told = [str(socket.recv(timeout=30)) for _ in range(2)]
            assert any("may not look at" in text for text in told)
            assert not any("drive fault" in text for text in told)
    with shop.worker(), shop.page(), shop.visitor("eve") as eve:
        after = eve.until("line", shop.line, "pareto", lambda pareto: pareto["bars"])
        assert bars(after) == {"drive fault"}


def test_a_call_for_help_and_its_answer_are_records_of_the_namespace(shop: Shop) -> None:
    with shop.worker(), shop.page():
        with shop.visitor("ann") as ann:
            assert ann.act("call", id="anns-call-1", path=shop.cell, text="conveyor squeals").status_code == 200
        name = topic(shop.area.area, MessageClass.NOTE)
        (told,) = read_all(shop.area.settings, [(name, 0)])
        note = shop.area.codec.decode(told.value or b"")
        assert (note.kind, note.text, note.by, note.ended_at) == ("call", "conveyor squeals", "ann", None)  # type: ignore[union-attr]

        def answered() -> bool:
            with shop.visitor("ann") as ann:
                said = {"path": shop.cell, "note": note.natural_id}  # type: ignore[union-attr]
                return ann.act("answer", id="anns-answer", **said).status_code == 200

        eventually(answered, 60, "the call at the page")
        *_, last = read_all(shop.area.settings, [(name, 0)])
        assert shop.area.codec.decode(last.value or b"").ended_by == "ann"  # type: ignore[union-attr]


def test_the_page_does_not_open_to_the_network_without_users(shop: Shop) -> None:
    (shop.area.folder / "state" / "users.yaml").unlink()
    refused = shop.area.invoke("run", "page", "--port", str(free_port()), UNS_BIND="0.0.0.0")
    assert refused.exit_code != 0
    assert "--anyone-on-the-network-may-act" in str(refused.exception or refused.output)

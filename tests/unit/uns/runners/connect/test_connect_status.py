"""Kafka Connect's contract over folders of a machine: states, masked configuration, wishes that stay."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness.line_logs import plant as plain_plant
from tests.harness.serving import serving
from topology.model.plant import Plant
from uns.runners.connect.app import Workers, create
from uns.runners.connect.status import parts
from uns.runners.sink.health import SinkHealth, write_health
from uns.runtime import wish
from uns.runtime.access import Access
from uns.runtime.ports import free_port

NOW_US = time.time_ns() // 1000


def plant() -> Plant:
    model = plain_plant().model_dump(mode="json", exclude_unset=True)
    dsn = "postgresql://uns:geheim@db:5432/uns"
    subscribe = {"filter": "acme/dallas/#", "classes": ["oee"]}
    config = {"dsn": dsn, "password": "geheim", "tables": [{"token": "geheim", "name": "t"}]}
    model["sinks"] = {
        "history": {"kind": "historian", "subscribe": subscribe, "config": config},
        "mes": {"kind": "rest", "subscribe": subscribe},
    }
    model["connectors"] = {"history": {"protocol": "opcua", "config": {"url": "opc.tcp://u:geheim@plc:4840"}}}
    return Plant.model_validate(model)


def health(at: int, *problems: str) -> SinkHealth:
    return SinkHealth(at, problems, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0)


@contextmanager
def asking(folder: Path, access: Access | None = None) -> Iterator[httpx2.Client]:
    port = free_port()
    app = create(Workers(parts(plant()), [folder], "acme"), access or Access(()))
    with serving(app, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client


def ran(folder: Path, *problems: str, at: int = 0) -> Path:
    """A sink's folder, as one that runs leaves it."""
    own = folder / "sinks" / "history"
    write_health(own, health(at or time.time_ns() // 1000, *problems))
    return own


def states(client: httpx2.Client, name: str) -> tuple[str, str]:
    found = client.get(f"/connectors/{name}/status").json()
    return found["connector"]["state"], found["tasks"][0]["state"]


def test_names_info_and_expanded(tmp_path: Path) -> None:
    ran(tmp_path)
    with asking(tmp_path) as client:
        assert client.get("/").json()["kafka_cluster_id"] == "acme"
        names = client.get("/connectors").json()
        assert names == ["connector-history", "sink-history", "sink-mes"]
        assert client.get("/connectors/connector-history").json()["type"] == "source"
        whole = client.get("/connectors?expand=info&expand=status").json()
        assert list(whole) == names
        assert whole["sink-history"]["status"]["tasks"] == [{"id": 0, "state": "RUNNING", "worker_id": whole["sink-history"]["status"]["connector"]["worker_id"]}]  # fmt: skip
        assert whole["sink-history"]["info"]["config"]["topics"] == "uns.acme.dallas.packaging.oee"
        assert client.get("/connectors/sink-history/topics").json() == {"sink-history": {"topics": ["uns.acme.dallas.packaging.oee"]}}  # fmt: skip
        assert client.get("/connectors/sink-mes/tasks").json()[0]["id"] == {"connector": "sink-mes", "task": 0}
        assert {each["type"] for each in client.get("/connector-plugins").json()} == {"source", "sink"}


def test_no_answer_holds_a_secret(tmp_path: Path) -> None:
    ran(tmp_path, "cannot reach postgresql://uns:geheim@db:5432/uns")
    with asking(tmp_path) as client:
        texts = [client.get("/connectors?expand=info&expand=status").text]
        for name in ("connector-history", "sink-history"):
            texts += [
                client.get(f"/connectors/{name}/{what}").text for what in ("config", "tasks", "tasks-config", "status")
            ]
    assert all("geheim" not in text for text in texts)
    assert "opc.tcp://u:" in "".join(texts)
    assert '"protocol":"opcua"' in "".join(texts)


def test_states(tmp_path: Path) -> None:
    with asking(tmp_path) as client:
        assert states(client, "sink-history") == ("UNASSIGNED", "UNASSIGNED"), "it has never run here"
        ran(tmp_path)
        assert states(client, "sink-history") == ("RUNNING", "RUNNING")
        ran(tmp_path, "the target is away")
        assert states(client, "sink-history") == ("RUNNING", "FAILED")
        assert client.get("/connectors/sink-history/tasks/0/status").json()["trace"] == "the target is away"
        ran(tmp_path, at=1)
        assert states(client, "sink-history") == ("UNASSIGNED", "UNASSIGNED"), "it has ended"


def test_wishes_are_written_down_and_stay(tmp_path: Path) -> None:
    own = ran(tmp_path)
    with asking(tmp_path) as client:
        assert client.put("/connectors/sink-history/pause").status_code == 202
        assert wish.read(own).paused
        assert states(client, "sink-history") == ("PAUSED", "PAUSED")
        assert client.post("/connectors/sink-history/restart").status_code == 204
        assert client.post("/connectors/sink-history/tasks/0/restart").status_code == 204
        assert (wish.read(own).paused, wish.read(own).restarts) == (True, 2)
        assert client.put("/connectors/sink-history/resume").status_code == 202
        assert (wish.read(own).paused, wish.read(own).restarts) == (False, 2)
        assert states(client, "sink-history") == ("RUNNING", "RUNNING")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/connectors/nowhere", 404),
        ("GET", "/connectors/nowhere/status", 404),
        ("GET", "/connectors/sink-mes/tasks/1/status", 404),
        ("PUT", "/connectors/sink-mes/pause", 409),
        ("POST", "/connectors", 405),
        ("DELETE", "/connectors/sink-mes", 405),
        ("PUT", "/connectors/sink-mes/config", 405),
        ("GET", "/nothing", 404),
    ],
)
def test_what_is_refused_is_said_as_connect_says_it(tmp_path: Path, method: str, path: str, code: int) -> None:
    with asking(tmp_path) as client:
        answer = client.request(method, path)
    assert answer.status_code == code
    assert answer.json()["error_code"] == code
    assert answer.json()["message"]


def test_who_may_ask(tmp_path: Path) -> None:
    own = ran(tmp_path)
    with asking(tmp_path) as client:
        for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}):
            assert client.post("/connectors/sink-history/restart", headers=headers).status_code == 403
        assert wish.read(own) == wish.Wish()
    with asking(tmp_path, Access(["basic ann:pw"])) as client:
        assert client.get("/connectors").status_code == 401
        basic = base64.b64encode(b"ann:pw").decode()
        assert client.get("/connectors", headers={"authorization": f"Basic {basic}"}).status_code == 200


def test_a_wish_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert wish.read(tmp_path) == wish.Wish()
    (tmp_path / wish.FILE).write_text("{", encoding="utf-8")
    assert wish.read(tmp_path) == wish.Wish()
    assert wish.write(tmp_path, paused=True).paused


def test_secrets_deep_in_lists_are_masked() -> None:
    config: dict[str, Any] = dict(parts(plant())["sink-history"].config)
    assert config["config.tables"] == '[{"token": "***", "name": "t"}]' or "geheim" not in config["config.tables"]

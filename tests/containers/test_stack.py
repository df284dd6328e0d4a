"""The compose file in a real engine: nothing of what the plant said is lost, whatever happens to the containers.

In this order: the tests of this module share one stack, and each goes on from what the one before has left.
"""

import json
import time
from pathlib import Path

import pytest

from tests.containers.conftest import TAGS
from tests.containers.engine import command
from tests.containers.stack import PROBE, Stack
from tests.harness.waiting import eventually
from tests.unit.test_compose import LIVE

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

SETTLE_S = 120.0


def settled(stack: Stack) -> None:
    """Everything published is in the raw log and in the historian, and no unit is unaccounted for."""
    eventually(lambda: not stack.unread(), SETTLE_S, "what was published is not in the raw log", every_s=1.0)

    def rows() -> set[int]:
        found = stack.sql(f"select value_integer from uns.samples where tag = '{PROBE}'")
        return set(stack.published) - {int(value) for value in found}

    eventually(lambda: not rows(), SETTLE_S, "what was published is not in the historian", every_s=1.0)
    assert {name: books["lost"] for name, books in stack.ledgers().items()} == dict.fromkeys(stack.ledgers(), 0)


def test_the_image_is_small_in_rights_and_says_what_it_is(stack: Stack) -> None:
    inspected = json.loads(command("docker", "--host", stack.host, "image", "inspect", TAGS[0]))[0]["Config"]
    assert inspected["User"] == "10001:10001"
    assert inspected["Labels"]["org.opencontainers.image.version"] == "0.0.1"
    assert "10001" in _inside(stack, "id", "-u")
    for tool in ("apt-get", "pip"):
        assert tool not in _inside(stack, "sh", "-c", "ls /opt/tools 2>/dev/null; true")
    bill = json.loads(_inside(stack, "cat", "/opt/uns/sbom.cdx.json"))
    installed = json.loads(
        _inside(stack, "/opt/uns/bin/pip", "list", "--format", "json", "--disable-pip-version-check")
    )
    named = {(part["name"].lower(), part["version"]) for part in (*bill["components"], bill["metadata"]["component"])}
    assert len(installed) > 50
    assert {(part["name"].lower(), part["version"]) for part in installed} <= named


def _inside(stack: Stack, *words: str) -> str:
    lines = ("--rm", "--read-only", "--network", "none", "--entrypoint", words[0], TAGS[0])
    return command("docker", "--host", stack.host, "run", *lines, *words[1:])


def test_all_parts_start_in_order_and_are_healthy(stack: Stack) -> None:
    stack.up()
    state = stack.state()
    assert set(state) == set(stack.services())
    for name, container in state.items():
        running = container["State"]
        if name == "apply":
            assert (running["Status"], running["ExitCode"]) == ("exited", 0)
        else:
            assert (name, running["Health"]["Status"]) == (name, "healthy")
    begin = {name: container["State"]["StartedAt"] for name, container in state.items()}
    for name in LIVE:
        assert begin["kafka"] < begin["registry"] < begin["apply"] <= begin[name] or name == "registry"


def test_no_secret_stands_where_it_can_be_read(stack: Stack) -> None:
    password = Path(stack.variables["UNS_SECRETS"], "postgres").read_text(encoding="utf-8").strip()
    assert len(password) >= 32
    for name, container in stack.state().items():
        assert password not in json.dumps(container), name
        assert password not in command("docker", "--host", stack.host, "logs", container["Id"]), name
    assert password not in stack.run("config")


def test_prometheus_sees_every_part_and_has_the_rules(stack: Stack) -> None:
    ask = "import json, urllib.request as r; print(r.urlopen('http://prometheus:9090/api/v1/{}').read().decode())"

    def asked(path: str) -> dict[str, object]:
        words = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "python3", "apply", "-c", ask.format(path))
        found: dict[str, object] = json.loads(stack.run(*words))["data"]
        return found

    def down() -> list[object]:
        targets = json.loads(json.dumps(asked("targets")))["activeTargets"]
        assert {target["labels"]["instance"].split(":")[0] for target in targets} == set(LIVE)
        return [(target["labels"]["instance"], target["lastError"]) for target in targets if target["health"] != "up"]

    eventually(lambda: not down(), 60.0, "targets that are not up", every_s=1.0)
    assert json.loads(json.dumps(asked("rules")))["groups"]


def test_values_come_through(stack: Stack) -> None:
    stack.publish(range(50))
    settled(stack)


@pytest.mark.parametrize("name", ["kafka", "postgres", "mqtt", "the parts", "everything"])
def test_kill_9_loses_nothing(stack: Stack, name: str) -> None:
    before = stack.held()
    assert before.log
    assert all(before.rows[table] for table in ("samples", "state"))
    killed = {"the parts": LIVE, "everything": [name for name in stack.state() if name != "apply"]}.get(name, [name])
    stack.run("kill", "--signal", "SIGKILL", *killed)
    stack.up()
    stack.publish(range(max(stack.published) + 1, max(stack.published) + 21))
    settled(stack)
    assert before.missing_from(stack.held()) == []


def test_what_is_under_way_survives_kill_9(stack: Stack) -> None:
    """In the spool of a connector while Kafka is away, and in the broker while the connector is."""
    first = max(stack.published) + 1
    stack.run("kill", "--signal", "SIGKILL", "kafka")
    stack.publish(range(first, first + 40))
    eventually(lambda: stack.ledgers()["plant-mqtt"]["pending"] >= 40, 60.0, "not in the spool", every_s=0.5)
    stack.run("kill", "--signal", "SIGKILL", "plant-mqtt")
    stack.publish(range(first + 40, first + 80))
    taken_at = time.time()

    def saved_at() -> float:
        return float(stack.run("exec", "--no-TTY", "mqtt", "stat", "-c", "%Y", "/mosquitto/data/mosquitto.db"))

    eventually(lambda: saved_at() > taken_at + 1, 30.0, "mosquitto does not save", every_s=0.5)
    stack.run("kill", "--signal", "SIGKILL", "mqtt")
    stack.up()
    settled(stack)


@pytest.mark.parametrize("how", ["recreated", "down and up", "upgraded"])
def test_other_containers_over_the_same_volumes(stack: Stack, how: str) -> None:
    before, containers = stack.held(), {each["Id"] for each in stack.state().values()}
    if how == "upgraded":
        stack.variables["UNS_IMAGE"] = TAGS[1]
        stack.up()
        assert {each["Config"]["Image"] for name, each in stack.state().items() if name in LIVE} == {TAGS[1]}
    elif how == "down and up":
        stack.run("down")
        stack.up()
    else:
        stack.up("--force-recreate")
    if how != "upgraded":
        assert not containers & {each["Id"] for each in stack.state().values()}
    stack.publish(range(max(stack.published) + 1, max(stack.published) + 21))
    settled(stack)
    assert before.missing_from(stack.held()) == []


def test_parts_end_in_order_when_they_are_told_to(stack: Stack) -> None:
    stack.run("stop")
    ended = {name: each["State"]["ExitCode"] for name, each in stack.state().items() if name in LIVE}
    assert {name: code for name, code in ended.items() if code} == {}, "killed once the grace was over"
    stack.up()


def test_it_was_the_volumes(stack: Stack) -> None:
    """Without them all of it is gone: what the tests above compare can be missing."""
    before = stack.held()
    stack.run("down", "--volumes")
    stack.up()
    missing = before.missing_from(stack.held())
    assert len(missing) > 0.9 * len(before.log)
    assert stack.unread() == set(stack.published)

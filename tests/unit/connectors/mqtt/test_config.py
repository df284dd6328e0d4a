"""What the MQTT connector refuses before it connects, and the words for it."""

from pathlib import Path as FilePath
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.mqtt import spec
from connectors.mqtt.config import MqttConfig
from topology.broker import Address
from topology.namespace.path import BadPath, Path

GOOD: dict[str, Any] = {
    "broker": "mqtt://plant.example:1884",
    "client_id": "uns",
    "subscriptions": [{"topic": "dallas/+/+/data", "path": "acme/dallas/packaging/{1}/{2}"}],
}


def config(**changes: Any) -> MqttConfig:
    return MqttConfig.model_validate({**GOOD, **changes})


def subscribed(topic: str, path: str = "acme/dallas", **more: Any) -> MqttConfig:
    return config(subscriptions=[{"topic": topic, "path": path, **more}])


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mqtt://plant.example:1884", ("plant.example", 1884, False, None)),
        ("mqtt://h/", ("h", 1883, False, None)),
        ("mqtts://h", ("h", 8883, True, None)),
        ("mqtt://[::1]:1", ("::1", 1, False, None)),
        ("ws://h", ("h", 80, False, "/mqtt")),
        ("wss://h:9001/a/b?c=d", ("h", 9001, True, "/a/b?c=d")),
    ],
)
def test_the_parts_of_an_address(url: str, parts: tuple[str, int, bool, str | None]) -> None:
    assert Address.of(config(broker=url).broker) == parts


@pytest.mark.parametrize(
    "broker",
    ["localhost", "http://h", "mqtt://", "tcp://h:1883", "", "mqtt://h:nine", "mqtt://h:99999", "mqtt://h/path"],
)
def test_an_address_that_is_none(broker: str) -> None:
    with pytest.raises(ValidationError, match="broker"):
        config(broker=broker)


def test_a_password_in_the_address_is_refused_and_not_repeated_by_us() -> None:
    with pytest.raises(ValidationError, match="password_file"):
        config(broker="mqtt://user:hunter2@h")
    assert "hunter2" not in repr(config(password="hunter2"))


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+/b", "a/b#", "##", "a/+b"])
def test_a_filter_that_mqtt_does_not_know(topic: str) -> None:
    with pytest.raises(ValidationError, match="topic filter"):
        subscribed(topic)


def test_a_level_that_the_topic_does_not_have() -> None:
    with pytest.raises(ValidationError, match="no level 2"):
        subscribed("a/b", "acme/{2}")
    one = subscribed("a/#", "acme/{3}").subscriptions[0]
    assert one.path_of("a/x/y/z", {}) == Path.parse("acme/z")
    with pytest.raises(BadPath, match="no level 3"):
        one.path_of("a/x", {})


def test_a_path_that_the_namespace_refuses() -> None:
    with pytest.raises(ValidationError, match="did you mean 'acme/filler-1'"):
        subscribed("a/b", "acme/Filler 1")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"keep_alive_s": 1},
        {"connect_timeout_s": 0},
        {"subscriptions": []},
        {"qos": 1},
        {"receive_max": 0},
        {"version": "3.1"},
    ],
)
def test_values_out_of_range(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        config(**changes)


def test_the_password_comes_from_its_file(tmp_path: FilePath) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    assert config(password_file=file, password="other").secret == "hunter2"
    assert config(password="other").secret == "other"
    assert config().secret is None
    with pytest.raises(OSError, match="gone"):
        _ = config(password_file=tmp_path / "gone").secret


def test_literal_paths_are_those_without_levels() -> None:
    both = config(subscriptions=[*GOOD["subscriptions"], {"topic": "x", "path": "acme/dallas"}])
    assert spec.paths(both) == (Path.parse("acme/dallas"),)

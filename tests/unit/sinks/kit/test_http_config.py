"""What the options of the sinks over `sinks.kit.http` refuse, in which words, and that secrets are not among them."""

from typing import Any

import pytest
from pydantic import ValidationError

from sinks.influxdb.config import InfluxdbConfig
from sinks.pi.config import PiConfig
from sinks.questdb.config import QuestdbConfig

V1 = {"url": "http://influx:8086", "version": 1, "database": "plant"}
V2 = {"url": "http://influx:8086", "org": "acme", "bucket": "plant"}
PI = {"url": "https://pi/piwebapi", "data_server": "PI1"}


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        (InfluxdbConfig, {**V2, "url": "influx:8086"}, "no address"),
        (InfluxdbConfig, {**V2, "url": "http://uns:hunter2@influx"}, "use password_file"),
        (InfluxdbConfig, {**V2, "url": "http://influx/?db=x"}, "no ? and no #"),
        (InfluxdbConfig, {**V2, "token": "hunter2\nX: y"}, "line break"),
        (InfluxdbConfig, {**V2, "token": "hunter2€"}, "outside latin-1"),
        (InfluxdbConfig, {**V2, "token": "hunter2", "token_file": "/x"}, "not both"),
        (InfluxdbConfig, {**V2, "token": "hunter2", "username": "uns"}, "not both"),
        (InfluxdbConfig, {"url": "http://influx", "version": 2, "database": "x"}, "needs org and bucket"),
        (InfluxdbConfig, {"url": "http://influx", "version": 3}, "version 3 needs database"),
        (InfluxdbConfig, {**V2, "database": "x"}, "knows no database"),
        (InfluxdbConfig, {**V1, "bucket": "x"}, "knows no bucket"),
        (InfluxdbConfig, {**V1, "token": "hunter2"}, "version 1 knows no token"),
        (InfluxdbConfig, {**V2, "username": "uns"}, "version 2 takes a token"),
        (InfluxdbConfig, {**V2, "create": True}, "of version 1"),
        (InfluxdbConfig, {**V1, "username": "a:b"}, "no colon"),
        (InfluxdbConfig, {**V1, "password": "hunter2"}, "needs a username"),
        (InfluxdbConfig, {**V1, "measurement_prefix": "a b"}, "pattern"),
        (InfluxdbConfig, {**V1, "lines_max": 0}, "greater than or equal to 1"),
        (InfluxdbConfig, {**V1, "passwort": "hunter2"}, "passwort"),
        (QuestdbConfig, {"url": "http://q:9000", "table_prefix": 'x"; DROP'}, "pattern"),
        (QuestdbConfig, {"url": "http://q:9000", "partition_samples": "CENTURY"}, "HOUR"),
        (PiConfig, {**PI, "data_server": "a\\b"}, "pattern"),
        (PiConfig, {**PI, "fields": {"oeee": ["oee"]}}, "did you mean 'oee'?"),
        (PiConfig, {**PI, "fields": {"oee": ["ooee"]}}, "did you mean 'oee'?"),
        (PiConfig, {**PI, "point_prefix": "a;"}, "pattern"),
    ],
    ids=range(25),
)
def test_what_is_wrong_is_said(kind: type[Any], config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(config)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_do_not_show_and_a_slash_does_not_double() -> None:
    config = InfluxdbConfig.model_validate({**V2, "url": "http://influx:8086/", "token": "hunter2"})
    assert "hunter2" not in f"{config} {config!r} {config.model_dump_json()}"
    assert config.url == "http://influx:8086"


@pytest.mark.parametrize(
    ("config", "path", "query"),
    [
        ({**V1, "retention_policy": "year"}, "/write", {"db": "plant", "rp": "year", "precision": "u"}),
        (V2, "/api/v2/write", {"org": "acme", "bucket": "plant", "precision": "us"}),
        ({**V1, "version": 3}, "/api/v3/write_lp", {"db": "plant", "precision": "microsecond", "accept_partial": "true", "no_sync": "false"}),
    ],
    ids=["1", "2", "3"],
)  # fmt: skip
def test_the_endpoint_follows_from_the_version(config: dict[str, Any], path: str, query: dict[str, str]) -> None:
    assert InfluxdbConfig.model_validate(config).endpoint == (path, query)

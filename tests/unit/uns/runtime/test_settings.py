"""Settings to the configuration of Kafka clients."""

from pathlib import Path

import pytest

from uns.engine.config import EngineConfig
from uns.errors import UserError
from uns.runtime.settings import Environment, Settings, from_environment, settings


def test_nothing_secret_is_sent_in_the_clear_by_default() -> None:
    assert Settings(bootstrap="h:9092").kafka(acks="all") == {
        "bootstrap.servers": "h:9092",
        "security.protocol": "PLAINTEXT",
        "log_level": 4,
        "acks": "all",
    }


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_each_protocol_gets_what_it_needs(protocol: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("from the file\n")
    config = Settings(
        bootstrap="h:9092",
        security_protocol=protocol,
        sasl_username="historian",
        sasl_password="from the environment",
        sasl_password_file=password,
        ssl_ca=tmp_path / "ca.pem",
    ).kafka()
    assert config.get("sasl.password") == ("from the file" if protocol.startswith("SASL") else None)
    assert config.get("sasl.mechanism") == ("SCRAM-SHA-512" if protocol.startswith("SASL") else None)
    assert config.get("ssl.ca.location") == (str(tmp_path / "ca.pem") if protocol.endswith("SSL") else None)


def test_a_password_never_shows() -> None:
    assert "hunter2" not in repr(Settings(sasl_password="hunter2"))
    with pytest.raises(UserError, match=r"^UNS_SASL_PASSWORD: .*line break") as refused:
        Settings(sasl_password="hun\nter2")
    assert "hun" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"hun\xffter2", "is not UTF-8"), (b"hun\nter2", "line break"), (b"hun\x00", "control")],
)
def test_a_password_file_that_holds_none_is_said_with_its_variable(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    given = Settings(bootstrap="h:9092", security_protocol="SASL_SSL", sasl_password_file=file)
    with pytest.raises(UserError, match=f"^UNS_SASL_PASSWORD_FILE: .*{words}") as refused:
        given.kafka()
    assert str(file) in str(refused.value)
    assert "hun" not in str(refused.value)


def test_white_space_around_a_password_is_none_of_it() -> None:
    assert Settings(sasl_password=" hunter2\n").password == "hunter2"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("UNS_LOG_FORMAT", "jsn", "UNS_LOG_FORMAT: not known; did you mean 'json'?"),
        ("UNS_LOG_LEVEL", "verbose", "UNS_LOG_LEVEL: not known; there are debug, info"),
        ("UNS_SECURITY_PROTOCOL", "SASL-SSL", "UNS_SECURITY_PROTOCOL: not known; did you mean 'SASL_SSL'?"),
        ("UNS_METRICS_PORT", "hunter2", "UNS_METRICS_PORT: a whole number is expected"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    settings.cache_clear()
    try:
        with pytest.raises(UserError) as refused:
            settings()
    finally:
        settings.cache_clear()
    assert str(refused.value).startswith(words)
    assert value not in str(refused.value)


@pytest.mark.parametrize("name", ["UNS_METRICS_PORT", "UNS_ENGINE_GROUP_RECORDS"])
def test_every_class_of_settings_says_so(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    classes = Environment.__subclasses__()
    assert {Settings, EngineConfig} <= set(classes)
    monkeypatch.setenv(name, "hunter2")
    (reads,) = (c for c in classes if name in map(c.variable, c.model_fields))
    with pytest.raises(UserError) as refused:
        reads()
    assert str(refused.value) == f"{name}: a whole number is expected"


def test_what_runs_here_with_a_wrong_setting_is_said_too() -> None:
    with pytest.raises(UserError, match=r"^UNS_METRICS_PORT: a whole number is expected$"):
        from_environment({"UNS_METRICS_PORT": "hunter2"})


def test_case_does_not_matter_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNS_LOG_LEVEL", "INFO")
    monkeypatch.setenv("UNS_SECURITY_PROTOCOL", "sasl_ssl")
    assert (Settings().log_level, Settings().security_protocol) == ("info", "SASL_SSL")

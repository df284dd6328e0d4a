"""Settings to the configuration of Kafka clients."""

from pathlib import Path

import pytest

from uns.runtime.settings import Settings


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

"""`uns health`: what a container's health check runs."""

import json
import socket
import threading

import pytest
from typer.testing import CliRunner

from uns.cli.app import app
from uns.runtime import telemetry
from uns.runtime.settings import settings


def health(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["health", *words])
    return done.exit_code, done.output.strip()


def test_ready_or_why_not() -> None:
    trouble = ["Kafka does not answer"]
    address = telemetry.serve(ready=lambda: trouble)
    assert health(address) == (1, "Kafka does not answer")
    assert health(address, "--live") == (0, "ok")
    code, text = health(address, "--json")
    assert (code, json.loads(text)) == (1, {"ok": False, "reasons": trouble})
    trouble.clear()
    assert health(address) == health(f"{address}/") == (0, "ok")


def test_without_an_address_it_is_the_part_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    address = telemetry.serve()
    try:
        settings.cache_clear()
        monkeypatch.setenv("UNS_METRICS_PORT", address.rpartition(":")[2])
        assert health() == (0, "ok")
        settings.cache_clear()
        monkeypatch.delenv("UNS_METRICS_PORT")
        done = CliRunner().invoke(app, ["health"])
        assert done.exit_code == 1
        assert "UNS_METRICS_PORT" in str(done.exception)
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 503 x\r\ncontent-length: 2\r\n\r\n[]"]
)
def test_whatever_answers_there_is_a_reason(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            with listener.accept()[0] as stranger:
                stranger.recv(4096)
                stranger.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        code, text = health(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert code == 1
    assert text.startswith("answers 503" if b"503" in answer else "does not answer")

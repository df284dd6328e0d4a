"""Logs and health of a process, over real HTTP and a real stderr."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, Counter

from uns.runtime import telemetry


def _ill() -> Sequence[str]:
    return ["no partition assigned", "postgresql://me:hunter2@db/uns refused"]


def test_metrics_and_health() -> None:
    registry = CollectorRegistry()
    Counter("uns_connector_samples_read_total", "Samples read", ["connector"], registry=registry).labels("c").inc(3)
    address = telemetry.serve(ready=_ill, registry=registry)
    metrics = httpx2.get(f"{address}/metrics")
    assert metrics.status_code == 200
    assert 'uns_connector_samples_read_total{connector="c"} 3.0' in metrics.text
    assert httpx2.get(f"{address}/health/live").json() == {"status": "ok"}
    ready = httpx2.get(f"{address}/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "reasons": ["no partition assigned", "postgresql://me:***@db/uns refused"],
    }
    assert httpx2.get(f"{address}/").status_code == 404


def test_a_check_that_breaks_is_a_reason() -> None:
    def check() -> Sequence[str]:
        raise KeyError("partition")

    answer = httpx2.get(telemetry.serve(ready=check, registry=CollectorRegistry()) + "/health/ready")
    assert answer.status_code == 503
    assert "KeyError" in answer.json()["reasons"][0]


def test_a_taken_port_is_an_error() -> None:
    port = int(telemetry.serve(registry=CollectorRegistry()).rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        telemetry.serve(port=port, registry=CollectorRegistry())


PROGRAM = """
import logging, structlog
from uns.runtime.settings import Settings
from uns.runtime.telemetry import configure_logs
configure_logs(Settings(log_level="{level}", log_format="{format}"))
log = structlog.get_logger()
log.debug("detail")
log.info("connected", connector="c1", sasl_password="hunter2", dsn="postgresql://u:hunter2@h/d", options=dict(token="hunter2"))
logging.getLogger("faust.app").info("chatter")
logging.getLogger("httpx2").info("HTTP Request: POST https://h/p?sig=hunter2")
logging.getLogger("uvicorn.error").warning("slow %s password=hunter2", "client")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
"""


def _logs(level: str = "info", form: str = "auto") -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level, format=form)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_logs_are_json_off_a_terminal_and_keep_secrets() -> None:
    text = _logs()
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["connected", "slow client password=***", "broke"]
    assert lines[0]["connector"] == "c1"
    assert lines[0]["dsn"] == "postgresql://u:***@h/d"
    assert lines[1]["logger"] == "uvicorn.error"
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert "hunter2" not in text


def test_logs_at_a_terminal_are_lines_for_people() -> None:
    text = _logs(level="debug", form="console")
    assert "detail" in text
    assert "chatter" in text  # libraries speak at info when ours is debug
    assert not text.lstrip().startswith("{")
    assert "hunter2" not in text


def test_error_level_silences_warnings_of_libraries() -> None:
    assert [json.loads(line)["event"] for line in _logs(level="error").splitlines()] == ["broke"]

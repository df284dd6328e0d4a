"""The lake in an object store that speaks S3: moto's server, where it is installed (it needs older libraries than ours, so
an environment of its own), or the store that `UNS_S3` names.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from deltalake import DeltaTable

from sinks.base import Retryable, Sink, Taken
from sinks.lake import spec
from tests.harness import eventually
from tests.integration.sinks.lake.log import RAW
from tests.integration.sinks.lake.test_lake import one
from uns.runtime.ports import free_port

KEYS = {"aws_access_key_id": "uns", "aws_region": "eu-central-1", "aws_allow_http": "true"}


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def moto(port: int) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("moto_server is not installed")
    environ = os.environ | {"AWS_ACCESS_KEY_ID": "uns", "AWS_SECRET_ACCESS_KEY": "hunter2"}
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        eventually(lambda: answers(port), timeout_s=30)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def endpoint() -> Iterator[str]:
    if given := os.environ.get("UNS_S3"):
        yield given
        return
    port = free_port()
    with moto(port):
        urlopen(Request(f"http://127.0.0.1:{port}/lake", method="PUT"), timeout=10).close()
        yield f"http://127.0.0.1:{port}"


def sink_of(endpoint: str, url: str = "s3://lake/uns") -> Sink:
    config: dict[str, Any] = {"url": url, "commit_s": 0, "options": KEYS | {"aws_endpoint_url": endpoint}, "timeout_s": 3}  # fmt: skip
    config["secrets"] = {"aws_secret_access_key": "hunter2"}
    return spec.build("lake", spec.config.model_validate(config), Path())


async def opened_and_written(sink: Sink) -> None:
    await sink.open()
    await sink.write([one(0)], {})


def offsets(endpoint: str) -> list[int]:
    options = KEYS | {"aws_endpoint_url": endpoint, "aws_secret_access_key": "hunter2"}
    table = DeltaTable("s3://lake/uns/samples", storage_options=options).to_pyarrow_table()
    return sorted(table["kafka_offset"].to_pylist())


def test_rows_and_positions_are_in_the_bucket_and_two_instances_collide(endpoint: str) -> None:
    async def go() -> None:
        sink = sink_of(endpoint)
        await sink.open()
        for number in range(40):  # with compaction and a vacuum
            assert await sink.write([one(number)], {(RAW, 0): number + 1}) == []
        second = sink_of(endpoint)
        await second.open()
        assert await second.positions() == {(RAW, 0): 40}
        assert await second.write([one(39), one(40)], {(RAW, 0): 41}) == []
        with pytest.raises(Taken):
            await sink.write([one(40)], {(RAW, 0): 41})
        assert offsets(endpoint) == list(range(41))
        await sink.close()
        await second.close()

    asyncio.run(go())


def test_a_bucket_that_is_missing_is_named(endpoint: str) -> None:
    async def go() -> None:
        sink = sink_of(endpoint, "s3://no-such-bucket/uns")
        with pytest.raises(Retryable, match="make it first") as caught:
            await opened_and_written(sink)
        assert "hunter2" not in str(caught.value)
        await sink.close()

    asyncio.run(go())


@pytest.mark.long
def test_a_store_that_goes_away_in_the_middle_is_waited_for() -> None:
    """It freezes in the middle of commits and answers again; nothing is lost or twice."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with moto(port) as process:
        urlopen(Request(f"{endpoint}/lake", method="PUT"), timeout=10).close()

        async def go() -> None:
            sink = sink_of(endpoint)
            await sink.open()
            failed: list[str] = []
            for number in range(30):
                if number % 10 == 4:
                    asyncio.get_running_loop().call_later(0.01, process.send_signal, signal.SIGSTOP)
                    asyncio.get_running_loop().call_later(12, process.send_signal, signal.SIGCONT)
                while True:
                    try:
                        assert await sink.write([one(number)], {(RAW, 0): number + 1}) == []
                        break
                    except Retryable as error:
                        failed.append(str(error))
                        with suppress(Retryable):
                            await sink.open()
            assert all("s3://lake/uns" in words or "not open" in words for words in failed), failed
            assert failed
            assert await sink.positions() == {(RAW, 0): 30}
            await sink.close()

        asyncio.run(go())
        assert offsets(endpoint) == list(range(30))

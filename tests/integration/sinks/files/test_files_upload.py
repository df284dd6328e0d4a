"""Complete files on another machine, over SFTP: each once and whole, whatever fails in between."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from sinks.base import Retryable
from sinks.files import spec
from sinks.files.sink import FilesSink
from tests.harness.sftp import NO_SSHD, Keys, sshd
from tests.harness.waiting import until
from uns.runtime.ports import free_port
from uns.testing import delivery, downtime


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "import"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.files.sink.COPY_S", (0.05, 0.1))


@asynccontextmanager
async def server(port: int, keys: Keys) -> AsyncIterator[asyncssh.SSHAcceptor]:
    options: dict[str, Any] = {"server_host_keys": [str(keys.host)], "authorized_client_keys": f"{keys.user}.pub"}
    acceptor = await asyncssh.listen("127.0.0.1", port, sftp_factory=True, **options)
    try:
        yield acceptor
    finally:
        acceptor.close()
        await acceptor.wait_closed()


def sink(tmp_path: Path, port: int, keys: Keys, **upload: Any) -> FilesSink:
    folder = tmp_path / "export"
    folder.mkdir(exist_ok=True)
    upload = {
        "to": f"sftp://127.0.0.1:{port}{tmp_path}/import",
        "username": getpass.getuser(),
        "key_file": str(keys.user),
        "known_hosts_file": str(keys.known_hosts(port)),
        "timeout_s": 5,
        **upload,
    }
    files = [{"record": "downtime", "format": "jsonl", "rows_max": 10, "name": "{site}/{record}"}]
    config = spec.config.model_validate({"folder": str(folder), "upload": upload, "files": files})
    return FilesSink("export", config, tmp_path)


async def write(to: FilesSink, first: int, count: int) -> None:
    for number in range(first, first + count):
        assert await to.write([delivery(downtime(number), number)], {("t", 0): number + 1}) == []


async def wait_for(there: Path, count: int) -> None:
    await asyncio.to_thread(until, lambda: len(complete(there)) >= count)


def complete(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*.jsonl") if not file.name.startswith(".")}


def test_complete_files_arrive_whole_and_under_their_names(tmp_path: Path, there: Path, keys: Keys) -> None:
    async def go() -> None:
        port = free_port()
        async with server(port, keys):
            one = sink(tmp_path, port, keys)
            await one.open()
            await write(one, 0, 35)
            await wait_for(there, 3)
            await one.close()

    asyncio.run(go())
    assert complete(there) == complete(tmp_path / "export")
    assert len(complete(there)) == 3
    assert list(there.rglob(".*")) == []


def test_a_server_that_is_away_holds_up_no_rows_until_too_many_files_wait(
    tmp_path: Path, there: Path, keys: Keys
) -> None:
    async def go() -> None:
        port = free_port()
        one = sink(tmp_path, port, keys, waiting_max=3)
        await one.open()
        await write(one, 0, 30)
        with pytest.raises(Retryable, match="3 files wait for sftp"):
            await write(one, 30, 1)
        assert complete(there) == {}
        await one.close()
        again = sink(tmp_path, port, keys, waiting_max=3)  # as after a crash
        async with server(port, keys):
            await again.open()
            await wait_for(there, 3)
            await write(again, 30, 10)
            await wait_for(there, 4)
            await again.close()

    asyncio.run(go())
    assert complete(there) == complete(tmp_path / "export")


def test_a_link_that_ends_in_the_middle_leaves_nothing_half_under_a_files_name(
    tmp_path: Path, there: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.files.upload.BLOCK_BYTES", 500)
    cut = 0

    class Cutting(asyncssh.SFTPServer):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            nonlocal cut
            cut += 1
            if cut in (3, 9):
                raise asyncssh.SFTPFailure("the disk is full")
            return int(super().write(file_obj, offset, data))  # type: ignore[arg-type]

    async def go() -> None:
        port = free_port()
        options: dict[str, Any] = {"server_host_keys": [str(keys.host)], "authorized_client_keys": f"{keys.user}.pub"}
        async with await asyncssh.listen("127.0.0.1", port, sftp_factory=Cutting, **options):
            one = sink(tmp_path, port, keys)
            await one.open()
            await write(one, 0, 20)
            await wait_for(there, 2)
            await one.close()

    asyncio.run(go())
    assert cut > 9
    assert complete(there) == complete(tmp_path / "export")


def test_a_server_that_is_not_known_gets_nothing(tmp_path: Path, there: Path, keys: Keys) -> None:
    others = tmp_path / "others"
    others.mkdir()

    async def go() -> None:
        port = free_port()
        async with server(port, keys):
            one = sink(tmp_path, port, keys, known_hosts_file=str(Keys(others).known_hosts(port)))
            uploader = one._uploader
            assert uploader is not None
            with pytest.raises(Retryable, match="known_hosts_file"):
                await uploader.put(keys.user, "stolen")

    asyncio.run(go())
    assert list(there.iterdir()) == []


@pytest.mark.skipif(NO_SSHD, reason="sshd is not installed, or has no /run/sshd")
def test_openssh(tmp_path: Path, there: Path, keys: Keys) -> None:
    async def go(port: int) -> None:
        one = sink(tmp_path, port, keys)
        await one.open()
        await write(one, 0, 20)
        await wait_for(there, 2)
        await one.close()

    with sshd(tmp_path, keys) as port:
        asyncio.run(go(port))
    assert complete(there) == complete(tmp_path / "export")


def test_its_options_are_checked() -> None:
    files = [{"record": "downtime"}]
    for upload, words in (
        ({"to": "ftp://a/b", "username": "u", "known_hosts_file": "/k"}, "sftp://10.0.0.7/import"),
        ({"to": "sftp://a/b", "known_hosts_file": "/k"}, "username"),
        ({"to": "sftp://a/b", "username": "u"}, "known_hosts_file"),
    ):
        with pytest.raises(ValidationError, match=words):
            spec.config.model_validate({"folder": "/x", "files": files, "upload": upload})

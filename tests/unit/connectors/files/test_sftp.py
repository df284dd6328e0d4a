"""Folders over SFTP: the OpenSSH server where it is installed, and asyncssh's own to be cut off in the middle."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest

from connectors.base import Position, Reading, SourceUnavailable
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector
from tests.harness.sftp import NO_SSHD, Keys, sshd
from tests.unit.connectors.files.driver import HEADER, LONG, lines
from uns.runtime.ports import free_port
from uns.testing.connectors import keep
from uns.testing.patience import patient

GROWING = {**LONG, "pattern": "**/*.csv", "settle_s": 0.1}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def openssh(tmp_path: Path, keys: Keys) -> Iterator[int]:
    """The port of an OpenSSH server."""
    with sshd(tmp_path, keys) as port:
        yield port


def options(tmp_path: Path, port: int, keys: Keys, **others: Any) -> FilesConfig:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    given = {
        "folder": f"sftp://127.0.0.1:{port}{folder}",
        "username": getpass.getuser(),
        "key_file": str(keys.user),
        "known_hosts_file": str(keys.known_hosts(port)),
        "poll_s": 0.05,
        "files": [GROWING],
    }
    return FilesConfig.model_validate(given | others)


async def read(config: FilesConfig, count: int, cursor: dict[str, Position]) -> list[Any]:
    connector, values = FilesConnector("test", config), []
    connector.resume_at(dict(cursor))
    await connector.open({})
    try:
        async with asyncio.timeout(patient(20)):
            async for batch in connector.batches():
                values += [thing.sample.value for thing in batch.readings if isinstance(thing, Reading)]
                keep(cursor, batch)
                if len(values) >= count:
                    break
        assert connector.healthy()
    finally:
        await connector.close()
    return values


@pytest.mark.skipif(NO_SSHD, reason="no OpenSSH server can be started here")
def test_each_row_once_from_an_openssh_server(tmp_path: Path, keys: Keys, openssh: int) -> None:
    config = options(tmp_path, openssh, keys)
    cursor: dict[str, Position] = {}
    folder = tmp_path / "in"
    (folder / "line-1").mkdir()
    (folder / "line-1" / "log.csv").write_text(HEADER + lines(0, 5_000))
    assert asyncio.run(read(config, 5_000, cursor)) == list(range(5_000))
    (folder / "line-1" / "log.csv").rename(folder / "line-1" / "log.1.csv")
    with (folder / "line-1" / "log.1.csv").open("a") as file:
        file.write(lines(5_000, 5_002))
    (folder / "link.csv").symlink_to("line-1/new.txt")
    (folder / "line-1" / "new.txt").write_text(HEADER + lines(6_000, 6_001))
    assert sorted(asyncio.run(read(config, 3, cursor))) == [5_000, 5_001, 6_000]


@pytest.mark.skipif(NO_SSHD, reason="no OpenSSH server can be started here")
def test_a_server_whose_key_is_not_known_is_not_read(tmp_path: Path, keys: Keys, openssh: int) -> None:
    config = options(tmp_path, openssh, keys)
    other = tmp_path / "other"
    other.mkdir()
    assert config.known_hosts_file is not None
    config.known_hosts_file.write_text(f"[127.0.0.1]:{openssh} " + Path(f"{Keys(other).host}.pub").read_text())
    with pytest.raises(SourceUnavailable, match="known_hosts_file"):
        asyncio.run(read(config, 1, {}))


class Cut(asyncssh.SSHServer):
    """A server whose links can be cut."""

    links: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.links.append(conn)


@asynccontextmanager
async def own_server(port: int, keys: Keys) -> AsyncIterator[None]:
    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Cut,
        server_host_keys=[str(keys.host)],
        authorized_client_keys=f"{keys.user}.pub",
        sftp_factory=True,
    )
    try:
        yield
    finally:
        server.close()


def test_a_link_that_is_cut_is_noticed_and_reading_goes_on_after_it(tmp_path: Path, keys: Keys) -> None:
    config = options(tmp_path, port := free_port(), keys)
    log = tmp_path / "in" / "log.csv"
    log.write_text(HEADER + lines(0, 10))

    cursor: dict[str, Position] = {}

    async def take(connector: FilesConnector, values: list[Any]) -> None:
        async with asyncio.timeout(patient(20)):
            async for batch in connector.batches():
                values += [reading.sample.value for reading in batch.readings]
                keep(cursor, batch)
                Cut.links[-1].abort()

    async def go() -> None:
        connector, values = FilesConnector("test", config), list[Any]()
        async with own_server(port, keys):
            await connector.open({})
            with pytest.raises(SourceUnavailable):
                await take(connector, values)
        assert not connector.healthy()
        await connector.close()
        with pytest.raises(SourceUnavailable, match=str(port)):
            await connector.open({})
        await connector.close()
        async with own_server(port, keys):
            with log.open("a") as file:
                file.write(lines(10, 12))
            assert [*values, *await read(config, 2, cursor)] == list(range(12))

    asyncio.run(go())


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"known_hosts_file": None}, "needs `username` and `known_hosts_file`"),
        ({"username": None}, "needs `username`"),
        ({"folder": "sftp://uns:secret@h/x"}, "does not belong into the address"),
        ({"folder": "ftp://h/x"}, "is no address"),
        ({"folder": "/in"}, "are for folders over SFTP"),
        ({"folder": "in"}, "is not absolute"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, keys: Keys, others: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        options(tmp_path, 22, keys, **others)
    assert "secret" not in str(caught.value)

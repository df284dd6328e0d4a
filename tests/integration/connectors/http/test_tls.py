"""The HTTP connector behind its own certificate."""

import asyncio
import ssl
import subprocess
from pathlib import Path as FilePath

import httpx2
import pytest

from connectors.base import SourceUnavailable
from connectors.http.config import HttpConfig
from connectors.http.connector import HttpConnector
from uns.runtime.ports import free_port


def test_it_serves_by_its_certificate_and_names_one_that_it_cannot_read(tmp_path: FilePath) -> None:
    certificate, key = tmp_path / "http.pem", tmp_path / "http.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    config = HttpConfig.model_validate(
        {
            "url": f"https://127.0.0.1:{free_port()}",
            "certificate_file": certificate,
            "key_file": key,
            "tokens": [{"prefix": "acme", "token": "t"}],
        }
    )

    async def go() -> None:
        connector = HttpConnector("test", config)
        await connector.open({})
        async with httpx2.AsyncClient(verify=ssl.create_default_context(cafile=str(certificate))) as client:
            assert (await client.get(f"{config.url}/health")).json() == {"name": "uns-backbone", "status": "pass"}
        await connector.close()
        key.write_text("no key")
        with pytest.raises(SourceUnavailable, match="certificate cannot be read"):
            await connector.open({})
        key.unlink()
        with pytest.raises(SourceUnavailable, match="certificate cannot be read"):
            await connector.open({})

    asyncio.run(go())

"""`uns certs opcua`: files that servers take, and a key that is never overwritten."""

import json
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from uns.cli.app import app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["certs", "opcua", *arguments])
    return result.exit_code, f"{result.output}{result.exception}"


def test_what_is_written(tmp_path: Path) -> None:
    code, output = run(str(tmp_path / "new"), "--name", "plc-1", "--host", "plant.example", "--json")
    assert code == 0
    said = json.loads(output.removesuffix("None"))
    key = Path(said["private_key"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    certificate = x509.load_der_x509_certificate(Path(said["certificate"]).read_bytes())
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    assert loaded.public_key() == certificate.public_key()
    assert said["application_uri"] == "urn:plant.example:uns-backbone:plc-1"


def test_a_key_is_never_overwritten_and_a_name_is_no_path(tmp_path: Path) -> None:
    assert run(str(tmp_path))[0] == 0
    before = (tmp_path / "uns.key").read_bytes()
    code, output = run(str(tmp_path))
    assert (code, "choose another --name" in output) == (1, True)
    assert (tmp_path / "uns.key").read_bytes() == before
    assert run(str(tmp_path), "--name", "../x")[0] == 1

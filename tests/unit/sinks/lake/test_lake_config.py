"""What the lake's options refuse, and that no secret is shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sinks.lake.config import LakeConfig
from sinks.lake.store import Store
from sinks.lake.troubles import told, words


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"url": "lake"}, "no absolute path"),
        ({"url": "./lake"}, "no absolute path"),
        ({"url": "http://bucket/x"}, "no address"),
        ({"url": "s3://"}, "no address"),
        ({"url": "s3://key:hunter2@bucket/x"}, "secret_files"),
        ({"url": "/data/la\nke"}, "control characters"),
        ({"url": "s3://b", "options": {"aws_secret_access_key": "hunter2"}}, "is a secret"),
        ({"url": "s3://b", "options": {"azure_storage_sas_token": "hunter2"}}, "is a secret"),
        ({"url": "s3://b", "secrets": {"a": "hunter2"}, "secret_files": {"a": "/x"}}, "given twice"),
        ({"url": "/data/lake", "secrets": {"a": "hunter2"}}, "for object stores"),
        ({"url": "/data/lake", "commit_s": -1}, "greater than or equal to 0"),
        ({"url": "/data/lake", "keep_h": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(config: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LakeConfig.model_validate(config)
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_addresses_are_brought_to_one_form() -> None:
    given = ["/data/lake/", "file:///data/lake", "s3://bucket/a/", "abfss://c@account.dfs.core.windows.net/x", "gs://b"]
    found = [LakeConfig(url=url).url for url in given]
    assert found == ["/data/lake", "/data/lake", "s3://bucket/a", "abfss://c@account.dfs.core.windows.net/x", "gs://b"]


def test_secrets_reach_the_store_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    config = LakeConfig.model_validate(
        {
            "url": "s3://b",
            "options": {"aws_access_key_id": "uns", "timeout": "7s"},
            "secrets": {"aws_session_token": "hunter3"},
            "secret_files": {"aws_secret_access_key": file},
        }
    )
    hidden = config.hidden()
    options = Store(config, hidden).options
    assert options is not None
    assert options["aws_secret_access_key"] == "hunter2"
    assert options["aws_session_token"] == "hunter3"
    assert options["timeout"] == "7s"
    assert "hunter" not in repr(config)
    assert words(OSError("PUT https://x?sig=hunter2&t=hunter3 \ud800"), hidden) == "PUT https://x?sig=***&t=*** \\ud800"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("Unable to copy data: \x1b[31m↳\x1b[0m No space left on device (os error 28)", "make room"),
        ("Read-only file system (os error 30)", "read-only"),
        ("Client error with status 403 Forbidden: SignatureDoesNotMatch", "does not accept the credentials"),
        ("Client error with status 403 Forbidden: AccessDenied", "may not write here"),
        ("NoSuchBucket", "make it first"),
        ("error sending request for url (http://127.0.0.1:9/)", "does not answer"),
    ],
)
def test_troubles_say_what_to_do(error: str, hint: str) -> None:
    text = told(OSError(error), {})
    assert hint in text
    assert "\x1b" not in text

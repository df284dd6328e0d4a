"""What every part asks the registry for: the ids of our records and the schemas behind foreign ids, cached on disk."""

import hashlib
import json
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.catalog import source, subject
from schemas.codec import Codec
from schemas.records import TYPES

log = structlog.get_logger()

TIMEOUT_S = 5.0
UNKNOWN_MAX = 1024
"""Ids remembered as unknown."""
UNKNOWN_S = 30.0
"""How long: a schema may be registered after its first record was seen."""


class RegistryUnavailable(RuntimeError):
    """The registry does not answer and the disk cache does not know; says which registry. Not a verdict on any record."""


class Registry:
    """One registry, one cache folder. What was learnt once is known without the registry, over restarts too."""

    def __init__(self, url: str, cache_dir: Path) -> None:
        self._url = url
        self._client = SchemaRegistryClient({"url": url, "timeout": TIMEOUT_S, "max.retries": 1})
        self._cache = cache_dir / hashlib.sha256(_place(url).encode()).hexdigest()[:12]
        self._unknown: dict[int, float] = {}
        self._warned = False

    def codec(self, register: bool = True) -> Codec:
        """A codec with the ids of all our records. Raises `RegistryUnavailable`, and `LookupError` for a record that
        is not registered when `register` is false."""
        return Codec({name: self._id(name, register) for name in TYPES}, self.schema)

    def schema(self, id_: int) -> str:
        """Schema text of an id. Raises `LookupError` when the registry does not know it, else `RegistryUnavailable`."""
        cached = self._read(f"id-{id_}")
        if cached is not None:
            return cached
        if self._unknown.get(id_, 0.0) > time.monotonic():
            raise LookupError(f"schema id {id_} is not in the registry")
        try:
            text = self._client.get_schema(id_).schema_str
        except Exception as error:
            if _status(error) == 404:
                if len(self._unknown) >= UNKNOWN_MAX:
                    self._unknown.clear()
                self._unknown[id_] = time.monotonic() + UNKNOWN_S
                raise LookupError(f"schema id {id_} is not in the registry") from error
            raise self._away(error) from error
        self._write(f"id-{id_}", text)
        return str(text)

    def _id(self, name: str, register: bool) -> int:
        text = source(name)
        key = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        cached = self._read(key)
        if cached is not None:
            return int(cached)
        try:
            schema = Schema(text, "AVRO")
            if register:
                id_ = self._client.register_schema(subject(name), schema)
            else:
                id_ = self._client.lookup_schema(subject(name), schema).schema_id
        except Exception as error:
            status = _status(error)
            if status == 404:
                raise LookupError(f"{subject(name)} is not registered; `uns apply` does it") from error
            if status in (409, 422):
                raise LookupError(f"{subject(name)} is refused by {self._url}: {error}") from error
            raise self._away(error) from error
        self._write(key, str(id_))
        return int(id_)

    def _away(self, error: Exception) -> RegistryUnavailable:
        if not self._warned:
            self._warned = True
            log.warning("registry does not answer", url=_place(self._url), error=type(error).__name__)
        return RegistryUnavailable(
            f"the schema registry at {_place(self._url)} does not answer ({type(error).__name__}), and {self._cache} does not "
            "hold what is needed; start it, or correct UNS_REGISTRY"
        )

    def _read(self, name: str) -> str | None:
        try:
            return str(json.loads((self._cache / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def _write(self, name: str, text: str) -> None:
        # Whole or not at all: a cache that a crash left half written must not be believed.
        self._cache.mkdir(parents=True, exist_ok=True)
        draft = self._cache / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(text), encoding="utf-8")
        draft.replace(self._cache / name)


def _status(error: Exception) -> int | None:
    return error.http_status_code if isinstance(error, SchemaRegistryError) else None


def _place(url: str) -> str:
    """The URL without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

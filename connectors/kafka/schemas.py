"""Schemas of a foreign registry by id, over Confluent's REST contract; each is asked for once."""

import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from connectors.base import SourceUnavailable
from connectors.kafka.codec import parsed
from connectors.kafka.config import SchemaRegistry
from topology.endpoint import BadSecret

SCHEMAS_MAX = 1_000
"""Schemas that are remembered; a source that invents ids must not fill the memory."""
ASK_AGAIN_S = 30.0
"""A schema that the registry does not have may be registered a moment later."""


class Schemas(Mapping[int, Any]):
    """By id a parsed schema, or a text that says why there is none. Raises `SourceUnavailable` while the registry is away."""

    def __init__(self, registry: SchemaRegistry, timeout_s: float) -> None:
        """Raises `SourceUnavailable` for a secret or a certificate that cannot be read."""
        self._url = registry.url
        self._known: dict[int, Any] = {}
        self._refused: dict[int, float] = {}
        """Id → monotonic time, of those that the registry does not have."""
        try:
            login = None if registry.username is None else (registry.username, registry.secret or "")
            trust: Any = ssl.create_default_context(cafile=registry.ca_file) if registry.ca_file is not None else True
            self._client = httpx2.Client(auth=login, verify=trust, timeout=timeout_s)
        except (OSError, BadSecret) as error:
            raise SourceUnavailable(
                f"registry {self._url}: credentials or certificates cannot be read: {error}"
            ) from error

    def learn(self, ids: set[int]) -> None:
        """Asks for those that are not known."""
        now = time.monotonic()
        for number in sorted(ids):
            if number in self._known and now - self._refused.get(number, now) < ASK_AGAIN_S:
                continue
            if len(self._known) >= SCHEMAS_MAX:
                self._known.clear()
            self._known[number] = self._asked(number)

    def _asked(self, number: int) -> Any:
        self._refused.pop(number, None)
        try:
            answer = self._client.get(f"{self._url}/schemas/ids/{number}")
            if answer.status_code == 404:
                self._refused[number] = time.monotonic()
                return f"schema id {number} is not in the registry"
            answer.raise_for_status()
            told = answer.json()
            if told.get("references"):
                return f"schema id {number}: its schema has references, which are not followed"
            return parsed(str(told["schema"]), told.get("schemaType"))
        except (httpx2.HTTPError, ValueError, KeyError, AttributeError) as error:
            raise SourceUnavailable(
                f"registry {self._url} does not answer for schema id {number} ({error}); is it up, is the address right?"
            ) from error

    def close(self) -> None:
        self._client.close()

    def __getitem__(self, number: int) -> Any:
        return self._known[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

"""Webhooks: what a system of record posts by itself, in its own words. Who posts is told by a signature over the body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException

from connectors.base import Malformed, Said
from connectors.http.config import Hook
from connectors.kit.documents import DocumentReader, item_bytes
from connectors.kit.message import MESSAGE_MAX, PAYLOAD_MAX_BYTES
from connectors.kit.payloads import BadPayload, document

REFUSED = HTTPException(401, "the signature is missing or wrong; nothing was taken")
"""Whatever is wrong with it: who guesses learns nothing."""


class Posted(NamedTuple):
    """A webhook whose signature is right."""

    hook: Hook
    digest: bytes
    """Tells its secret from others."""


class Webhooks:
    """By name."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        """Raises `OSError` for a secret that cannot be read, `BadSecret` for one that is none."""
        self._hooks = {hook.name: (hook, hook.key()) for hook in hooks}
        self._readers = {name: DocumentReader(hook) for name, (hook, _) in self._hooks.items()}

    def knows(self, name: str) -> bool:
        return name in self._hooks

    def checked(self, name: str, headers: Mapping[str, str], body: bytes, now_s: float) -> Posted:
        """Raises `HTTPException`: 401. Takes the same time whatever is wrong with a signature."""
        hook, key = self._hooks[name]
        given = headers.get(hook.header.lower(), "").strip()
        if not given.startswith(hook.prefix):
            raise REFUSED
        given = given.removeprefix(hook.prefix)
        if hook.algorithm == "plain":
            right = hmac.compare_digest(given.encode("latin-1", "replace"), key)
        else:
            right = self._signed(hook, key, given, headers, body, now_s)
        if not right:
            raise REFUSED
        return Posted(hook, hashlib.sha256(key).digest())

    def _signed(
        self, hook: Hook, key: bytes, given: str, headers: Mapping[str, str], body: bytes, now_s: float
    ) -> bool:
        moment = headers.get(hook.timestamp_header.lower(), "") if hook.timestamp_header is not None else ""
        if hook.timestamp_header is not None and not _fresh(moment, now_s, hook.age_max_s):
            return False
        before, _, after = hook.signed.partition("{body}")
        stamp = moment.encode("latin-1", "replace")
        message = b"".join(
            (before.encode().replace(b"{timestamp}", stamp), body, after.encode().replace(b"{timestamp}", stamp))
        )
        try:
            sent = bytes.fromhex(given) if hook.encoding == "hex" else base64.b64decode(given, validate=True)
        except (ValueError, binascii.Error):
            sent = b""
        return hmac.compare_digest(sent, hmac.new(key, message, hook.algorithm).digest())

    def said(self, hook: Hook, body: bytes) -> list[Said]:
        """What a webhook's body says. Pure: whatever it is, the answer is readings, facts or `Malformed`."""
        origin = f"/v1/hooks/{hook.name}"
        try:
            items = hook.listed(document(body, PAYLOAD_MAX_BYTES))
        except BadPayload as bad:
            return [Malformed(origin, body, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX])]
        except RecursionError:
            return [Malformed(origin, body, "bad_payload", f"{origin}: nested too deep")]
        things: list[Said] = []
        for item in items:
            try:
                things += self._readers[hook.name].said(origin, hook.taken(item), item)
            except BadPayload as bad:
                things.append(Malformed(origin, item_bytes(item), bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX]))
        return things


def _fresh(moment: str, now_s: float, age_max_s: float) -> bool:
    """Whether a time in seconds since 1970 is now, about."""
    return moment.isascii() and moment.isdigit() and abs(now_s - int(moment[:15])) <= age_max_s

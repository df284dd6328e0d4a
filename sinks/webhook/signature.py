"""Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body, one for each secret that is valid. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from topology.endpoint import BadSecret

PREFIX = "whsec_"
KEY_BYTES = (24, 64)
EXAMPLE = "whsec_ and 24 to 64 bytes in base64; `openssl rand -base64 32` makes them"


def key(secret: str) -> bytes:
    """The bytes of a secret such as `whsec_MfKQ…`. Raises `BadSecret`, whose words repeat nothing of it."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"the secret is no secret of a webhook: {EXAMPLE}") from None
    if not KEY_BYTES[0] <= len(found) <= KEY_BYTES[1]:
        raise BadSecret(f"the secret has {len(found)} bytes: {EXAMPLE}")
    return found


def message_id(identity: str) -> str:
    """The same for the same event, whatever letters its own id has: a header carries ASCII, and no full stop may be in it."""
    return f"msg_{hashlib.sha256(identity.encode()).hexdigest()[:40]}"


def headers(keys: Sequence[bytes], identity: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; without keys two."""
    id_ = message_id(identity)
    signed = f"{id_}.{at_s}.".encode() + body
    signatures = " ".join(f"v1,{base64.b64encode(hmac.digest(each, signed, 'sha256')).decode()}" for each in keys)
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), **({"webhook-signature": signatures} if keys else {})}

"""What a lake's store says when it does not take a commit, in words that say what to do and hide every secret."""

import re
from collections.abc import Mapping

from sinks.base import Retryable

_HINTS = (
    (r"no space left|os error 28|disk quota", "the disk is full: make room; nothing is lost meanwhile"),
    (r"read-only file system|os error 30", "it is mounted read-only"),
    (r"permission denied|os error 13", "may this user write there?"),
    (r"SignatureDoesNotMatch|InvalidAccessKeyId|AuthenticationFailed|Unauthenticated|401 Unauthorized|InvalidToken|ExpiredToken",
     "the store does not accept the credentials: see secrets and secret_files"),
    (r"AccessDenied|403 Forbidden|AuthorizationFailure", "the store knows the credentials, and they may not write here"),
    (r"NoSuchBucket|ContainerNotFound|bucket does not exist", "there is no such bucket or container: make it first"),
    (r"No space|SlowDown|503 Service|ServerBusy|429", "the store is busy"),
    (r"error sending request|Connection refused|connect error|dns error|timed out|timeout", "it does not answer: are address, endpoint and network right?"),
    (r"Generic S3 error.*(PreconditionFailed|NotImplemented)|conditional", "the store has no conditional put, without which commits of two writers could meet"),
)  # fmt: skip
_KEPT = 600
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def words(error: BaseException, hidden: Mapping[str, str]) -> str:
    """On one line, without secrets."""
    text = " ".join(_COLOURS.sub("", str(error)).replace("↳", "").split()) or type(error).__name__
    for value in sorted(hidden.values(), key=len, reverse=True):
        if value:
            text = text.replace(value, "***")
    return text.encode(errors="backslashreplace").decode()[:_KEPT]


def told(error: BaseException, hidden: Mapping[str, str]) -> str:
    """Its words, and what they mean."""
    text = words(error, hidden)
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE)), None)
    return f"{text} ({hint})" if hint else text


class Unfit(Retryable):
    """A table is there that is not one of ours, or not of this form."""

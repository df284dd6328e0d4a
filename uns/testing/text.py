"""Text and JSON as no friend would send them, and the check that nothing of it comes out unsendable."""

from typing import Any

from hypothesis import strategies as st

HALF_A_PAIR = st.sampled_from(["\ud800", "a\udfff", "\udc80b"])
"""Halves of surrogate pairs: JSON can write them, UTF-8 cannot."""
TEXTS = (
    st.text(max_size=20)
    | HALF_A_PAIR
    | st.sampled_from(
        ["", ".", "..", "../..", "a/b", "\x00", "a\nb", "{x}", "{{", "%2e%2e", "?a=b", "#", "//h", "\\", "é€"]
    )
    | st.text(min_size=200, max_size=300)
)
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**63, -(2**63) - 1, 10**400, float("nan"), float("inf"), 1e300, -1, True])
)
LABEL = r"[a-z][A-Za-z0-9_]{0,39}"
"""What a reason looks like: a bounded label for metrics."""


def json_documents(keys: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    """JSON-ready values with the given keys among those of their objects."""
    names = st.sampled_from(keys) | TEXTS if keys else TEXTS
    return st.recursive(
        st.none() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
        max_leaves=12,
    )


def check_sendable(text: str, what: str) -> None:
    """Raises AssertionError for a text that UTF-8 cannot hold: Kafka's headers and our records could not carry it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AssertionError(f"{what} cannot be sent: {text!r}") from None

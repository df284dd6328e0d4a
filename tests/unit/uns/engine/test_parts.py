"""State values in parts: whatever is written over whatever, what lies in the changelog is the last value, and no more."""

from hypothesis import given
from hypothesis import strategies as st

from uns.engine import parts
from uns.engine.parts import Parts

NAMES = ["a", "1/a", "path|out|5", ""]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.integers(0, 45), st.booleans()), max_size=30))
def test_any_sequence_of_values_is_restored(told: list[tuple[str, int | None, bool]]) -> None:
    size, parts.PART_BYTES = parts.PART_BYTES, 10
    try:
        ours, changelog, true = Parts("raw"), dict[bytes, bytes](), dict[str, bytes]()
        for number, (name, length, restart) in enumerate(told):
            if restart:
                ours = Parts("raw")
                assert dict(ours.join(changelog | {b"oee/state/a": b"another's"})) == true
            value = None if length is None else bytes([number]) * length
            for key, part in ours.split(name, value, name in true):
                assert ours.owns(key)
                if part is None:
                    changelog.pop(key, None)
                else:
                    assert len(part) <= 10
                    changelog[key] = part
            if value is None:
                true.pop(name, None)
            else:
                true[name] = value
        assert dict(Parts("raw").join(changelog)) == true
        assert len(changelog) == sum(max(1, -(-len(value) // 10)) for value in true.values())
    finally:
        parts.PART_BYTES = size

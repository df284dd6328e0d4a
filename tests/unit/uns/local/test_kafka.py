"""What the embedded Kafka is given."""

import uuid

from hypothesis import example, given
from hypothesis import strategies as st

from uns.local.kafka import cluster_id


@given(st.uuids())
@example(uuid.UUID(bytes=b"\xf8" * 16))
def test_a_cluster_id_is_no_option(number: uuid.UUID) -> None:
    found = cluster_id(number)
    assert found[0].isalpha()
    assert len(found) == 22

"""Options of QuestDB."""

from typing import Literal

from pydantic import Field

from sinks.kit.http import HttpConfig

Partition = Literal["HOUR", "DAY", "WEEK", "MONTH", "YEAR"]


class QuestdbConfig(HttpConfig):
    """One server, reached over HTTP (port 9000 by default). User and password, or a token, where it asks for them."""

    table_prefix: str = Field(
        "uns_", pattern=r"^([a-z][a-z0-9_]{0,40})?$", description="what the names of tables begin with"
    )
    partition_samples: Partition = Field("DAY", description="what the table of samples is parted by, when it is made")
    partition_derived: Partition = Field("MONTH", description="likewise the tables of derived records")
    rows_max: int = Field(10_000, ge=1, le=100_000, description="rows of one request")
    bytes_max: int = Field(4_000_000, ge=1_000, le=50_000_000, description="bytes of one request, before gzip")
    tries: int = Field(
        8, ge=1, description="so often a record is tried over which the target breaks while it takes others"
    )
    tries_s: float = Field(300.0, ge=0, description="and for so long at least; then to quarantine")

"""The engine's own settings: `UNS_ENGINE_*`, every bound and every timeout with its default."""

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from uns.runtime.settings import Environment


class EngineConfig(Environment):
    """Timeouts and bounds of one worker. The defaults suit a plant; tests shorten the session."""

    model_config = SettingsConfigDict(env_prefix="UNS_ENGINE_")

    group: str | None = Field(
        None, description="consumer group; none: uns-processors-<enterprise>", examples=["uns-processors-acme"]
    )
    session_timeout_s: float = Field(
        10.0, gt=0, description="silence after which the broker gives a worker's partitions away (broker minimum: 6)"
    )
    rebalance_timeout_s: float = Field(
        20.0, gt=0, description="longest wait for a worker to finish its transaction when partitions move"
    )
    transaction_timeout_s: float = Field(
        12.0, gt=0, description="the broker aborts a dead worker's transaction after this; a takeover waits for it"
    )
    commit_interval_s: float = Field(
        0.05,
        ge=0,
        description="a transaction that took less is followed by a rest as long as itself, up to so long from its begin",
    )
    group_records: int = Field(20_000, ge=1, description="records in one transaction, give or take a fetch")
    group_mb: float = Field(2.0, gt=0, description="bytes folded in one transaction, give or take a fetch (MB)")
    fetch_records: int = Field(5_000, ge=1, description="records in one fetched batch")
    fetch_kb: int = Field(1024, ge=1, description="bytes asked of one partition in one fetch (kB)")
    fetch_wait_s: float = Field(
        0.05,
        ge=0,
        description="how long an idle fetch waits at the broker; bounds how long one partition delays another",
    )
    in_flight_mb: float = Field(64.0, gt=0, description="fetched and not yet committed; fetching pauses above it (MB)")
    restore_timeout_s: float = Field(
        120.0, gt=0, description="a restore that takes longer, open transactions included, ends the process"
    )
    registry_retry_s: float = Field(
        60.0, ge=0, description="how long an unknown schema id waits for an absent registry"
    )
    stop_timeout_s: float = Field(15.0, gt=0, description="time for the last transaction at SIGTERM")
    join_timeout_s: float = Field(
        60.0, gt=0, description="a fenced worker that gets no new assignment for so long ends the process"
    )

    @model_validator(mode="after")
    def _rebalance_covers_transaction(self) -> "EngineConfig":
        if self.rebalance_timeout_s < self.transaction_timeout_s:
            rebalance, transaction = map(self.variable, ("rebalance_timeout_s", "transaction_timeout_s"))
            raise ValueError(f"{rebalance} must not be below {transaction}: a move waits for a commit")
        return self

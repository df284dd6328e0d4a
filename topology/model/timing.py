"""When a plant's windows close, how late a sample may come, how often snapshots are published."""

from pydantic import Field, model_validator

from topology.frozen import FrozenModel


class Time(FrozenModel):
    """When things close. Event time, but for `tick_s`."""

    lateness_s: float = Field(
        10.0,
        ge=0,
        description="how long a window waits for late samples, in seconds; spans a publish interval and a short stall of the network",
    )
    horizon_h: float = Field(
        48.0,
        gt=0,
        description="how far back a late record still corrects results, in hours; two days cover a weekend's night shift that is booked late",
    )
    future_s: float = Field(
        300.0,
        gt=0,
        description="a sample further ahead of the last tick and of its own record in the log is quarantined, in seconds; a clock further off is set wrong",
    )
    production_s: int = Field(60, ge=1, description="length of a production record, in seconds")
    provisional_s: float = Field(
        60.0,
        gt=0,
        description="how often an open window and each snapshot are published, changed or not, in seconds; a screen is no older",
    )
    current_s: float = Field(
        1.5,
        ge=0,
        description="how often the snapshot of a machine that changes is published at most, in seconds; the first tick after so long has it, with ticks each second every other one; 0: each tick",
    )
    kpi_s: float = Field(
        300.0,
        gt=0,
        description="how often the Kpi record of an open window is published, in seconds; it is the largest record, so less often than the others",
    )
    tick_s: float = Field(1.0, gt=0, description="wall seconds between ticks; nothing closes between two")

    @model_validator(mode="after")
    def _ordered(self) -> "Time":
        if self.lateness_s >= self.horizon_h * 3600:
            raise ValueError(f"lateness_s {self.lateness_s} is not below the horizon of {self.horizon_h:g} h")
        return self

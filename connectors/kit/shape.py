"""Options: what the payloads of a source look like. To be mixed into the options of whatever brings them."""

from typing import Literal

from pydantic import Field, model_validator

from connectors.kit.times import Unit
from connectors.kit.zone import Zoned

Payload = Literal["samples", "object", "value", "order", "lot", "shift", "reason", "gap", "inspection", "acknowledge"]


class Shape(Zoned):
    """What a payload is, and how its names, times and numbers are read."""

    payload: Payload = Field(
        "samples",
        description="what a message is: our JSON of samples, an object whose fields are tags, one bare value, or one fact",
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="of an object, tag → field; inside others by dots. None: every field is a tag",
        examples=[{"Power": "ENERGY.Power"}],
    )
    at: str | None = Field(
        None,
        description="of an object, the field with its time. None: the time of its arrival",
        examples=["timestamp_ms", "Time"],
    )
    time: Unit = Field("ms", description="what times that are numbers count since 1970")
    text_numbers: bool = Field(False, description='whether text that is a number ("12.5") is one')

    def check_tag(self, tag: str | None) -> None:
        """Raises `ValueError` where a tag that the message's address gives does not go with the payload."""
        if self.payload == "value" and tag is None:
            raise ValueError("payload `value` needs `tag`: a bare value does not say whose it is")
        if tag and self.payload not in ("value", "object"):
            raise ValueError(f"`tag` goes with payload value or object, not with {self.payload}")

    @model_validator(mode="after")
    def _goes_with_an_object(self) -> "Shape":
        for name in ("fields", "at"):
            if getattr(self, name) and self.payload != "object":
                raise ValueError(f"`{name}` goes with payload object, not with {self.payload}")
        return self

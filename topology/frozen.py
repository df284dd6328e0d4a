"""The base of every model that people write: frozen, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """Values that do not change, read from what people wrote; a key that nothing reads is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

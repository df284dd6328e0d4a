"""The base of every model that people write: frozen, unknown keys refused, names of bounded length."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from schemas.lengths import NAME_MAX
from topology.namespace.filters import Filter

Name = Annotated[str, StringConstraints(max_length=NAME_MAX)]
"""What goes into derived records by its name."""


def _filter(text: str) -> str:
    Filter.parse(text)
    return text


FilterText = Annotated[str, AfterValidator(_filter)]
"""An MQTT filter over paths, as it was written."""


class FrozenModel(BaseModel):
    """Values that do not change, read from what people wrote; a key that nothing reads is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

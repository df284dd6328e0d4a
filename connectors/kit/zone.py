"""Option: the zone of times that say none of their own. To be mixed into whatever has times."""

import functools
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from connectors.base import ConnectorConfig
from topology.model.shifts import zone_name


class Zoned(ConnectorConfig):
    """Whose local time it is."""

    zone: Annotated[str, AfterValidator(zone_name)] | None = Field(
        None, description="zone of times that say none of their own", examples=["Europe/Berlin"]
    )

    @functools.cached_property
    def zone_info(self) -> ZoneInfo | None:
        return None if self.zone is None else ZoneInfo(self.zone)

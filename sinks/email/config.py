"""Options of e-mail."""

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.kit.template import BadTemplate, check
from sinks.webhook.config import Events
from topology.endpoint import Login, Trust, address

PORTS = {"smtp": 587, "smtps": 465}
LOCAL = ("127.0.0.1", "::1", "localhost")


def _checked_mailbox(text: str) -> str:
    name, mailbox = parseaddr(text)
    local, _, domain = mailbox.rpartition("@")
    try:
        if not local or not domain or not text.isprintable() or re.search(r"[\s<>,;]", mailbox):
            raise ValueError
        Address(name, local, domain)
    except (ValueError, IndexError):
        raise ValueError(
            f"{text!r} is no mail address; anna@example.com or Anna <anna@example.com> is expected"
        ) from None
    return text


Mailbox = Annotated[str, AfterValidator(_checked_mailbox)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Report(Events):
    """Which records are told, to whom, and when."""

    name: str = Field(
        pattern=r"^[a-z0-9_-]{1,40}$",
        description="name of the report, to be kept: one of a kind",
        examples=["breakdowns"],
    )
    to: tuple[Mailbox, ...] = Field(
        (), description="who gets it; by default the sink's `to`", examples=[["anna@example.com"]]
    )
    every_min: int = Field(
        60,
        ge=1,
        le=10_080,
        description="a digest goes so long after the first record that is in it, unless `at` says when",
    )
    at: tuple[Clock, ...] = Field(
        (), description="a digest goes at these times of the day, if there is anything to tell", examples=[["06:00", "14:00", "22:00"]]
    )  # fmt: skip
    immediately: bool | dict[str, Any] | str = Field(
        False,
        description="what goes at once, a message each: true is all; or field → value, or an expression",
        examples=[{"severity": ["high"]}],
    )
    subject: str = Field("", max_length=200, description="what the subject begins with; by default the report's name")
    line: str | None = Field(
        None,
        description="template of a record's line; by default one that fits the class",
        examples=["{path[4]}: {reason|?} since {{ started_at | time('%H:%M', 'Europe/Berlin') }}"],
    )
    lines_max: int = Field(200, ge=1, le=2_000, description="lines of a message; of the rest the number is told")

    @property
    def at_once(self) -> Events | None:
        """What goes at once; None: nothing."""
        if self.immediately is False:
            return None
        when = {} if self.immediately is True else self.immediately
        return Events.model_validate({"class": self.message_class, "when": when})

    @model_validator(mode="after")
    def _templates(self) -> "Report":
        _ = self.at_once  # raises ValueError
        if self.line is not None:
            try:
                check(self.line, {*self.kind.__struct_fields__, "natural_id"})
            except BadTemplate as error:
                raise ValueError(f"line: {error}") from None
        if not self.subject.isprintable():
            raise ValueError("subject: one line, without control characters")
        return self


class EmailConfig(Login, Trust, SinkConfig):
    """One mail server."""

    server: str = Field(
        description="smtp://host:port (587 by default), smtps:// where TLS begins at once (465)",
        examples=["smtp://mail.example.com:587"],
    )
    starttls: Literal["required", "if offered", "never"] = Field(
        "required", description="of smtp://, whether the connection changes to TLS"
    )
    sender: Mailbox = Field(description="from whom it comes", examples=["UNS <uns@example.com>"])
    to: tuple[Mailbox, ...] = Field(
        (), description="who gets what has no `to` of its own", examples=[["anna@example.com"]]
    )
    zone: str = Field(
        "UTC", description="time zone of `at` and of the times in default lines", examples=["Europe/Berlin"]
    )
    reports: tuple[Report, ...] = Field(min_length=1, description="what is told")
    timeout_s: float = Field(30.0, gt=0, description="longest wait for an answer of the server")
    remembered_days: int = Field(400, ge=1, description="how long it is known what was told")

    @field_validator("server")
    @classmethod
    def _server(cls, text: str) -> str:
        if urlsplit(address(text, tuple(PORTS), "smtp://host:587 or smtps://host:465")).path.strip("/"):
            raise ValueError("server: no path belongs into it")
        return text

    @field_validator("zone")
    @classmethod
    def _zone(cls, text: str) -> str:
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"zone {text!r} is no time zone; e.g. Europe/Berlin") from None
        return text

    @model_validator(mode="after")
    def _consistent(self) -> "EmailConfig":
        names = [report.name for report in self.reports]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"reports: several are called {twice[0]!r}")
        if nobody := [report.name for report in self.reports if not self.recipients(report)]:
            raise ValueError(f"report {nobody[0]!r} goes to nobody: give it `to`, or the sink")
        if self.username is not None and self.plain and self.host not in LOCAL:
            raise ValueError("a password needs TLS: starttls: required, or smtps://")
        return self

    def recipients(self, report: Report) -> tuple[str, ...]:
        return report.to or self.to

    @property
    def host(self) -> str:
        return urlsplit(self.server).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.server)
        return parts.port or PORTS[parts.scheme]

    @property
    def plain(self) -> bool:
        """Whether it may go without TLS."""
        return not self.tls and self.starttls != "required"

    @property
    def tls(self) -> bool:
        return self.server.startswith("smtps:")

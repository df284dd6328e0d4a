"""E-mail: records as digests, and at once where it matters."""

from sinks.base import SinkSpec
from sinks.email.config import EmailConfig
from sinks.email.sink import Email
from sinks.email.trial import trial

spec = SinkSpec(
    config=EmailConfig,
    build=Email,
    summary="Digests by SMTP, and single messages at once where it matters",
    trial=trial,
    unreadable="mails that were sent cannot be read back: the mail server's log has the Message-ID of each, which `uns sink try` shows",
)

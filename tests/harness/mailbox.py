"""A real SMTP server (aiosmtpd) with a mailbox, which can behave as badly as any."""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from uns.runtime.ports import HOST, free_port

PASSWORD = "hunter2"


@dataclass
class Mailbox:
    """`mails` are those that were taken, with their recipients, in order: again when they came again."""

    port: int = field(default_factory=free_port)
    mails: list[tuple[list[str], Any]] = field(default_factory=list)
    asked: int = 0
    """Messages whose text was sent to us."""
    rcpt: Callable[[str], str | None] = lambda _mailbox: None
    """Mailbox → an answer that is not 250."""
    data: Callable[[int], tuple[str, bool] | None] = lambda _number: None
    """Number of the message → the answer (none: the session is torn), and whether it is taken all the same."""
    refused = "refuse me"
    words = "not with that reason"

    @property
    def config(self) -> dict[str, Any]:
        reports = [{"name": "stops", "class": "downtime", "immediately": True, "line": "{path[4]}: {reason}"}]
        return {
            "server": f"smtp://{HOST}:{self.port}",
            "starttls": "never",
            "sender": "UNS <uns@example.com>",
            "to": ["Anna <anna@example.com>", "bo@example.com"],
            "reports": reports,
            "timeout_s": 5,
        }

    def content(self) -> Any:
        """Message-ID → recipients and text: as who reads sees it, who drops what has an id that he knows."""
        return {mail["Message-ID"]: (sorted(to), _texts(mail)) for to, mail in self.mails}

    def texts(self) -> list[str]:
        return [_texts(mail) for _, mail in self.mails]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if (answer := self.rcpt(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.asked += 1
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        if self.refused in _texts(mail):
            return f"554 {self.words}"
        answer, taken = self.data(self.asked) or ("250 OK", True)
        if taken:
            self.mails.append((list(envelope.rcpt_tos), mail))
        if not answer:
            server.transport.abort()
        return answer

    @contextmanager
    def serving(self, **options: Any) -> Iterator["Mailbox"]:
        controller = Controller(self, hostname=HOST, port=self.port, **options)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()


def _texts(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content()).replace("\r\n", "\n")


def authenticator(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    return AuthResult(success=given.password == PASSWORD.encode(), handled=False)


def tls(certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context

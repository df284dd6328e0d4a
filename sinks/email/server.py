"""The way to a mail server: one session for what is ready, and what its answers mean."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from email.utils import parseaddr
from typing import Any

import aiosmtplib
from aiosmtplib import SMTPResponse

from sinks.base import Retryable
from sinks.email.config import EmailConfig
from sinks.email.outbox import REFUSED, SENT, UNDELIVERABLE, Ready
from topology.endpoint import BadSecret

TOO_LARGE = 552
WORDS_MAX = 300
Settle = Callable[[str, str, str, str], None]
"""(message id, mailbox, state, words)."""


class Server:
    """Raises `Retryable` where it is to be tried again; what it said of a mailbox until then is settled."""

    def __init__(self, name: str, config: EmailConfig) -> None:
        self._name, self._config = name, config

    async def send(self, ready: Iterable[Ready], settle: Settle) -> None:
        """One message after the other. Raises `Retryable`."""
        await _stoppable(self._send_all(ready, settle))

    async def _send_all(self, ready: Iterable[Ready], settle: Settle) -> None:
        client: aiosmtplib.SMTP | None = None
        try:
            for one in ready:
                if client is None:
                    client = await self._connected()
                await self._send(client, one, settle)
        finally:
            if client is not None:
                with suppress(aiosmtplib.SMTPException, OSError):
                    await client.quit()
                client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        config = self._config
        try:
            context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
            client = aiosmtplib.SMTP(
                hostname=config.host,
                port=config.port,
                username=config.username,
                password=config.secret if config.username is not None else None,
                timeout=config.timeout_s,
                use_tls=config.tls,
                start_tls=False
                if config.tls
                else {"required": True, "if offered": None, "never": False}[config.starttls],
                tls_context=context if config.tls or config.starttls != "never" else None,
            )
        except (OSError, BadSecret) as error:
            raise self._retryable(f"a secret or certificate cannot be read: {error}") from error
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise self._retryable(
                f"refuses us: {_words(error.code, error.message)}; check username and password"
            ) from None
        except aiosmtplib.SMTPResponseException as error:
            raise self._retryable(f"refuses us: {_words(error.code, error.message)}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            advice = "; see starttls" if "STARTTLS" in str(error) else ""
            raise self._retryable(f"cannot be reached ({error or type(error).__name__}){advice}") from error
        return client

    async def _send(self, client: aiosmtplib.SMTP, one: Ready, settle: Settle) -> None:
        names = {parseaddr(mailbox)[1]: mailbox for mailbox in one.mailboxes}
        options = [] if all(name.isascii() for name in (*names, self._sender)) else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            refused, _ = await client.sendmail(self._sender, list(names), one.content, mail_options=options)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {each.recipient: SMTPResponse(each.code, each.message) for each in error.recipients}
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code != TOO_LARGE:
                raise self._retryable(
                    f"refuses {self._sender}: {_words(error.code, error.message)}; see sender"
                ) from None
            self._undeliverable(one, _words(error.code, error.message), settle)
            return
        except aiosmtplib.SMTPDataError as error:
            if error.code < 500:
                raise self._retryable(f"does not take a message now: {_words(error.code, error.message)}") from None
            self._undeliverable(one, _words(error.code, error.message), settle)
            return
        except aiosmtplib.SMTPResponseException as error:
            raise self._retryable(f"answers {_words(error.code, error.message)}") from None
        except (
            aiosmtplib.SMTPException,
            OSError,
        ) as error:  # after DATA nobody knows: it goes again, under the same id
            raise self._retryable(f"ended the session: {error or type(error).__name__}") from error
        self._settle(one, names, refused, settle)

    def _settle(self, one: Ready, names: dict[str, str], refused: dict[str, SMTPResponse], settle: Settle) -> None:
        later: list[str] = []
        for name, mailbox in names.items():
            answer = refused.get(name)
            if answer is None:
                settle(one.message_id, mailbox, SENT, "")
            elif answer.code >= 500:
                settle(one.message_id, mailbox, REFUSED, _words(answer.code, answer.message))
            else:
                later.append(f"{mailbox}: {_words(answer.code, answer.message)}")
        if later:
            raise self._retryable(f"has {', '.join(later)}")

    def _undeliverable(self, one: Ready, words: str, settle: Settle) -> None:
        """Of the message: who would take it does not matter."""
        for mailbox in one.mailboxes:
            settle(one.message_id, mailbox, UNDELIVERABLE, words)

    @property
    def _sender(self) -> str:
        return parseaddr(self._config.sender)[1]

    def _retryable(self, words: str) -> Retryable:
        return Retryable(f"sink {self._name}: mail server {self._config.host}:{self._config.port} {words}")


async def _stoppable(work: Coroutine[Any, Any, None]) -> None:
    """aiosmtplib waits by what swallows, until Python 3.12, a cancellation that meets an answer: who stops us is heard."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
        if not task.cancelled():
            task.exception()  # seen, and of no interest any more
        raise
    task.result()


def _words(code: int, message: str) -> str:
    return f"{code} {' '.join(str(message).split())}"[:WORDS_MAX].strip()

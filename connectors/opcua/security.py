"""Who we are to a server: user, certificates, policy; and what to do about each way in which it says no."""

from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties
from cryptography import x509

from connectors.base import SourceUnavailable
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.services import NO_ANSWER, words
from topology.endpoint import BadSecret

ADVICE: dict[int, str] = {
    ua.StatusCodes.BadCertificateUntrusted: "the server does not trust our certificate: move it from its rejected to its trusted ones",
    ua.StatusCodes.BadCertificateInvalid: "our certificate is damaged, or of a kind that the server does not take; `uns certs opcua` makes one",
    ua.StatusCodes.BadCertificateUriInvalid: "the application URI in our certificate is not what we say; `uns certs opcua` makes a right one",
    ua.StatusCodes.BadCertificateTimeInvalid: "our certificate has run out or is not valid yet; look at both clocks, or make a new one with `uns certs opcua`",
    ua.StatusCodes.BadCertificateHostNameInvalid: "the host name is not in the certificate; `uns certs opcua --host` puts it there",
    ua.StatusCodes.BadCertificateUseNotAllowed: "our certificate may not be used for this; `uns certs opcua` makes one that may",
    ua.StatusCodes.BadCertificateRevoked: "our certificate was revoked; have a new one issued",
    ua.StatusCodes.BadCertificateRevocationUnknown: "the server has no revocation list of who issued our certificate; give it one, or a self-signed certificate",
    ua.StatusCodes.BadCertificateChainIncomplete: "the server lacks a certificate of who issued ours; give it the whole chain",
    ua.StatusCodes.BadCertificatePolicyCheckFailed: "our certificate is too weak for the server; `uns certs opcua` makes one of 2048 bits and SHA-256",
    ua.StatusCodes.BadSecurityChecksFailed: "the server does not accept our certificate and keeps to itself why: look whether it is among its rejected ones",
    ua.StatusCodes.BadSecurityPolicyRejected: "the server does not offer this `security_policy`",
    ua.StatusCodes.BadSecurityModeRejected: "the server does not offer this `security_mode`",
    ua.StatusCodes.BadSecurityModeInsufficient: "the server wants a stricter `security_mode` or a `security_policy` for this",
    ua.StatusCodes.BadIdentityTokenInvalid: "the server does not take this kind of user: anonymous, `username`, or `user_certificate`",
    ua.StatusCodes.BadIdentityTokenRejected: "user or password is wrong, or the server does not trust the user's certificate",
    ua.StatusCodes.BadUserAccessDenied: "user or password is wrong, or may not do this: anonymous users often may not, give `username`",
    ua.StatusCodes.BadTooManySessions: "the server has no session left: those of killed clients end with their time-out; we try again",
    ua.StatusCodes.BadTcpEndpointUrlInvalid: "the server does not know this address as its own; use the one in its list of endpoints",
}


async def identify(client: Client, config: OpcUaConfig) -> None:
    """Gives a client our user and certificates. Raises `SourceUnavailable` where a file cannot be read, without secrets."""
    try:
        if config.username is not None:
            client.set_user(config.username)
            client.set_password(config.secret or "")
    except (OSError, BadSecret) as error:
        raise SourceUnavailable(f"OPC UA server {config.url}: the password cannot be read: {error}") from error
    try:
        if config.user_certificate is not None and config.user_key is not None:
            user, key = _content(config.user_certificate), _content(config.user_key)
            await client.load_client_certificate(user.path_or_content, user.extension)
            await client.load_private_key(key.path_or_content, extension=key.extension)
        if config.security_policy != "None" and config.certificate is not None and config.private_key is not None:
            await _secure(client, config, config.certificate, config.private_key)
    except (ValueError, TypeError, *NO_ANSWER) as error:  # TypeError: how cryptography calls a key with a password
        raise SourceUnavailable(
            f"OPC UA server {config.url}: certificate or key cannot be used: {said(error)}"
        ) from error


async def _secure(client: Client, config: OpcUaConfig, certificate: Path, key: Path) -> None:
    ours = _content(certificate)
    client.application_uri = _application_uri(ours) or client.application_uri
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{config.security_policy}"),
        ours,
        _content(key),
        server_certificate=None if config.server_certificate is None else _content(config.server_certificate),
        mode=getattr(ua.MessageSecurityMode, config.security_mode),
    )


def _content(file: Path) -> CertProperties:
    """A certificate or key, told to be PEM or DER by what is in it: names end in anything."""
    content = file.read_bytes()
    return CertProperties(content, "pem" if b"-----BEGIN" in content[:2000] else "der")


def _application_uri(certificate: CertProperties) -> str | None:
    """The application URI that a certificate names: what a client says of itself must be the same."""
    load = x509.load_pem_x509_certificate if certificate.extension == "pem" else x509.load_der_x509_certificate
    content = certificate.path_or_content
    assert isinstance(content, bytes)
    try:
        names = load(content).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), None)


def said(error: BaseException) -> str:
    """What an error says, and what to do about it where we know."""
    advice = ADVICE.get(error.code) if isinstance(error, ua.UaStatusCodeError) else None
    return f"{words(error)}: {advice}" if advice else words(error)

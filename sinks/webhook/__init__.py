"""Webhook: each record as a signed CloudEvent by HTTP POST."""

from sinks.base import SinkSpec
from sinks.webhook.config import WebhookConfig
from sinks.webhook.sink import Webhook
from sinks.webhook.trial import trial

spec = SinkSpec(
    config=WebhookConfig,
    build=Webhook,
    summary="CloudEvents by HTTP POST, signed as Standard Webhooks has it",
    trial=trial,
    unreadable="a webhook tells events to a receiver that cannot be asked what it has: compare there, by the id of each event",
)

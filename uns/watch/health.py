"""What other processes of ours say of their health. Apart from their metrics: a health check runs every few seconds."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException

TIMEOUT_S = 2.0


def reasons(address: str, check: str) -> list[str]:
    """Why a process is not `live` or not `ready`, in its own words; empty when it is. `address` is `http://host:port`."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health/{check}", timeout=TIMEOUT_S):
            return []
    except urllib.error.HTTPError as error:
        try:
            return [str(reason) for reason in json.load(error)["reasons"]]
        except (ValueError, KeyError, TypeError, OSError):
            return [f"answers {error.code}"]
    except (OSError, ValueError, HTTPException) as error:  # HTTPException: something answers, and it is not HTTP
        return [f"does not answer: {why(error)}"]


def why(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error)

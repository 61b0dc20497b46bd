"""Runs within the witnesses' environment: signs and checks webhooks with the vendors' own helpers.

Reads one JSON document from standard input and writes one to standard output. See ``webhook_signatures``.
"""

import importlib
import json
import sys
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any


def signed(case: dict[str, Any]) -> dict[str, str]:
    """The headers that the vendor's helper makes."""
    body, secret, at, url = case["body"], case["secret"], case["seconds"], case["url"]
    match case["vendor"]:
        case "stripe":
            helper = importlib.import_module("stripe").WebhookSignature
            return {"stripe-signature": f"t={at},v1={helper._compute_signature(f'{at}.{body}', secret)}"}
        case "hubspot":
            helper = importlib.import_module("hubspot.utils.signature").Signature
            signature = helper.get_signature(secret, body, "v3", url, "POST", f"{at}000")
            return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": f"{at}000"}
        case "standardwebhooks" | "svix":
            helper = importlib.import_module(case["vendor"]).Webhook(secret)
            prefix = "webhook" if case["vendor"] == "standardwebhooks" else "svix"
            signature = helper.sign("msg_1", datetime.fromtimestamp(at, UTC), body)
            return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": signature}
    return {}  # the vendor's library only checks


def accepts(case: dict[str, Any], body: str, headers: dict[str, str]) -> bool:
    """Whether the vendor's helper takes a delivery."""
    secret = case["secret"]
    try:
        match case["vendor"]:
            case "stripe":
                helper = importlib.import_module("stripe").WebhookSignature
                return bool(helper.verify_header(body, headers["stripe-signature"], secret, 300))
            case "hubspot":
                helper = importlib.import_module("hubspot.utils.signature").Signature
                stated, at = headers["x-hubspot-signature-v3"], headers["x-hubspot-request-timestamp"]
                return bool(helper.is_valid(stated, secret, body, case["url"], "POST", "v3", at))
            case "standardwebhooks" | "svix":
                importlib.import_module(case["vendor"]).Webhook(secret).verify(body, headers)
                return True
            case "square":
                check = importlib.import_module("square.utils.webhooks_helper").verify_signature
                stated = headers["x-square-hmacsha256-signature"]
                return bool(
                    check(
                        request_body=body, signature_header=stated, signature_key=secret, notification_url=case["url"]
                    )
                )
            case "sendgrid":
                helper = importlib.import_module("sendgrid.helpers.eventwebhook").EventWebhook()
                key = helper.convert_public_key_to_ecdsa(secret)
                head = "x-twilio-email-event-webhook-"
                return bool(
                    helper.verify_signature(body, headers[f"{head}signature"], headers[f"{head}timestamp"], key)
                )
    except Exception:  # noqa: BLE001  a refusal, whatever its form
        return False
    raise ValueError(case["vendor"])


def main() -> None:
    cases = json.load(sys.stdin)
    answers = []
    for case in cases:
        deliveries = [(b64decode(body).decode("latin-1"), headers) for body, headers in case.get("deliveries", [])]
        answers.append({
            "headers": signed(case), "accepts": [accepts(case, body, headers) for body, headers in deliveries],
        })  # fmt: skip
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()

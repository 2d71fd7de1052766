"""A text as Twilio delivers and signs it."""

import http.client
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bench.settings import AUTH_TOKEN, PUBLIC_URL, SENDER

PATH = "/webhooks/twilio/inbound"


def deliver(port: int, number: str, body: str, sid: str) -> tuple[int, str]:
    """The status and the text of the gateway's answer. Raises OSError, HTTPException."""
    fields = {"MessageSid": sid, "From": number, "To": SENDER, "Body": body}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + PATH, fields)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", PATH, urlencode(fields), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()

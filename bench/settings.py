"""What every measurement runs with."""

ACCOUNT_SID = "AC" + "0" * 30 + "42"
AUTH_TOKEN = "made up for measuring: token"
FINGERPRINT_KEY = "made up for measuring: fingerprints"
BRAND = "Demo"
PUBLIC_URL = "https://sms.example.org"
SENDER = "+393399957505"


def environment(database_url: str) -> dict[str, str]:
    """The environment of a gateway behind Twilio."""
    return {
        "DATABASE_URL": database_url,
        "SMS_PROVIDER": "twilio",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_FROM": SENDER,
        # Nobody: what the chores ask the provider must not leave this machine.
        "TWILIO_API_BASE_URL": "http://127.0.0.1:9",
        "PUBLIC_URL": PUBLIC_URL,
        "SECRET_KEY": "made up for measuring: secret",
        "FINGERPRINT_KEY": FINGERPRINT_KEY,
        "BRAND_NAME": BRAND,
        "CONSENT": "assumed",
    }

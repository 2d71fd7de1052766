"""What GDPR art. 15(1)(a)-(d) lets a person know besides the data: why, how long, who else gets it.

Read from the map of personal data, as what is done with the data is.
"""

from typing import Any

from app.core.notice import lengths, pairs
from app.core.policy import Policy


def access_information(policy: Policy, provider: str) -> dict[str, Any]:
    """The aims with the periods of what is held for them (as in app.core.data_map), and recipients.

    `periods`: their lengths in this installation. `hosting`: whoever runs the machines, whom only
    the controller can name.
    """
    held: dict[tuple[str, str], list[str]] = {}
    for each in pairs():
        whats = held.setdefault((each.aim, each.period), [])
        whats += [] if each.what in whats else [each.what]
    return {
        "held": [
            {"aim": aim, "period": period, "what": what} for (aim, period), what in held.items()
        ],
        "periods": lengths(policy),
        "recipients": [
            {"kind": "sms_provider", "name": provider},
            {"kind": "hosting", "name": None},
        ],
    }

"""The bodies of the requests about programs, joining them, and what is held about a person."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.core.language import LANGUAGES
from app.core.models import Channel, RequestStatus
from app.core.notices import LONGEST
from app.web.api.models import Asked, Given, Label, Number, ProgramOrOwn, Words

MAX_TEXT = 2000  # characters of a consent text
_REQUEST_ID = "6f1c0a52e8d94b7fb3c1d2e4f5061728"
_TEXT = "I agree to get SMS about offers from Demo. I can reply STOP at any time."


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
    return value


Language = Annotated[str, AfterValidator(_language), Field(examples=["en"])]
ConsentText = Annotated[Words, Field(min_length=1, max_length=MAX_TEXT, examples=[_TEXT])]
AnyChannel = Annotated[Channel, Field(strict=False)]
Said = Annotated[str, Field(max_length=30)]


class SubscriptionRequest(Asked):
    to: Number
    program: ProgramOrOwn = None
    source: Annotated[
        Label,
        Field(
            min_length=1,
            max_length=300,
            description="Where the person asked: a form's address, a shop's till. Part of the "
            "evidence: name nobody in it.",
            examples=["https://shop.example/newsletter"],
        ),
    ]
    consent_text: Annotated[
        ConsentText, Field(description="The exact text that the person was shown and agreed to.")
    ]
    language: Annotated[
        Language | None, Field(description="Of that text and of the code's message.")
    ] = None
    channel: Annotated[
        AnyChannel, Field(description="How the person wants to be reached.", examples=["sms"])
    ] = Channel.SMS
    email: Annotated[
        Annotated[Label, Field(max_length=254)] | None,
        Field(description="Needed with the channel `email`, and only then."),
    ] = None
    address: Annotated[
        Annotated[Label, Field(max_length=45)] | None,
        Field(description="The IP address from which the person asked, if by browser."),
    ] = None
    user_agent: Annotated[
        Annotated[Label, Field(max_length=500)] | None, Field(description="That browser's name.")
    ] = None


class Subscription(Given):
    id: Annotated[str, Field(examples=[_REQUEST_ID])]
    status: Annotated[
        RequestStatus,
        Field(
            description="`pending` until the code comes back; `active` at once where the program "
            "needs no double opt-in.",
            examples=["pending"],
        ),
    ]
    expires_at: Annotated[datetime, Field(description="Until then the code is good.")]


class ConfirmRequest(Asked):
    code: Annotated[
        Label,
        Field(
            max_length=20, description="As the person read it on the handset.", examples=["204816"]
        ),
    ]


class Confirmed(Given):
    status: Annotated[RequestStatus, Field(examples=["active"])]


class ExportRequest(Asked):
    to: Number


Rows = Annotated[list[dict[str, Any]], Field(examples=[[]])]


class Dossier(Given):
    """What is held about one person: see docs/dossier.md."""

    format: Annotated[str, Field(examples=["optout-dossier/2"])]
    standard: Annotated[str, Field(examples=["ISO/IEC TS 27560:2023"])]
    generated_at: datetime
    time_zone: Annotated[
        str, Field(description="The number's, for who reads it.", examples=["Europe/Rome"])
    ]
    number: Annotated[str, Field(description="Empty once erased.", examples=["+393331234567"])]
    fingerprint: Annotated[
        str, Field(description="What the number is known by, in hexadecimal.", examples=["9f2c"])
    ]
    former_fingerprints: Annotated[
        list[str], Field(description="By which older entries of the ledger know the number.")
    ]
    known: Annotated[bool, Field(description="False: nothing was ever held.", examples=[True])]
    test_data: Annotated[
        bool, Field(description="Made with the simulator or at a local address.", examples=[False])
    ]
    controller: Annotated[
        dict[str, str | None],
        Field(
            description="Who answers for the data: `name` (the brand where no `legal_name` was "
            "set), `address`, `contact`.",
            examples=[{"name": "Da Gino S.r.l."}],
        ),
    ]
    access: Annotated[
        dict[str, Any],
        Field(
            description="Why and how long each kind of data is held, and who else gets it "
            "(GDPR art. 15).",
            examples=[{"recipients": [{"kind": "sms_provider", "name": "twilio"}]}],
        ),
    ]
    programs: Annotated[
        dict[str, dict[str, str | None]],
        Field(description="What the programs named here are called.", examples=[{}]),
    ]
    subscriber: Rows
    consent_records: Annotated[Rows, Field(description="As in ISO/IEC TS 27560:2023.")]
    consents: Annotated[Rows, Field(description="Where each consent stands now.")]
    requests: Annotated[Rows, Field(description="Each asking to join, with the texts shown.")]
    suppressions: Rows
    messages_received: Rows
    messages_sent: Rows
    delivery_reports: Rows
    reviews: Rows
    links: Annotated[Rows, Field(description="Hashes of the links to the person's own page.")]
    campaigns: Annotated[Rows, Field(description="The person's place in each.")]
    accesses: Annotated[Rows, Field(description="When and why somebody looked at the data.")]
    person_requests: Annotated[
        Rows, Field(description="When the person asked for their data or to be erased.")
    ]
    handset_codes: Annotated[
        Rows, Field(description="When a code to see the data was asked for; never the code.")
    ]
    copy_searches: Annotated[
        Rows, Field(description="Where the provider's log is searched after an erasure.")
    ]
    ledger: Annotated[Rows, Field(description="What happened, each with its proof.")]
    seals: Annotated[Rows, Field(description="The ledger's chain, up to its head.")]


class ProgramChoices(Asked):
    """What is left out, or null, is as the installation's settings have it."""

    brand: Annotated[
        Annotated[Label, Field(max_length=40)] | None,
        Field(description="Who writes, as people know it.", examples=["Da Gino"]),
    ] = None
    purpose: Annotated[
        Annotated[Label, Field(max_length=100)] | None,
        Field(
            description="What the messages are about, as in “SMS about …”.",
            examples=["the menu of the week"],
        ),
    ] = None
    language: Annotated[Language | None, Field(examples=["en"])] = None
    sender: Annotated[
        Annotated[Label, Field(max_length=64)] | None,
        Field(description="A number, a messaging service (`MG…`) or a name."),
    ] = None
    notice_url: Annotated[
        Annotated[Label, Field(max_length=500)] | None,
        Field(
            description="Where the privacy notice is.", examples=["https://shop.example/privacy"]
        ),
    ] = None
    notice_text: Annotated[
        Annotated[Words, Field(min_length=1, max_length=LONGEST)] | None,
        Field(
            description="The notice's words: kept with a version, shown on the form, and sealed "
            "with each consent by their SHA-256. New ones follow the old, which are kept."
        ),
    ] = None
    notice_sha256: Annotated[
        Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None,
        Field(description="In place of `notice_text`: of the file that you keep yourself."),
    ] = None
    controller_name: Annotated[
        Annotated[Label, Field(max_length=200)] | None,
        Field(description="Who answers for the data: the legal name.", examples=["Da Gino S.r.l."]),
    ] = None
    controller_address: Annotated[
        Annotated[Label, Field(max_length=300)] | None,
        Field(description="Its postal address.", examples=["Via Roma 1, 20121 Milano"]),
    ] = None
    privacy_contact: Annotated[
        Annotated[Label, Field(max_length=254)] | None,
        Field(description="Where to write about privacy.", examples=["privacy@shop.example"]),
    ] = None
    retention_days: Annotated[
        Annotated[int, Field(ge=1, le=3650)] | None,
        Field(description="How long a consent lasts, as the notice says."),
    ] = None
    renewal_days: Annotated[
        Annotated[int, Field(ge=1, le=365)] | None,
        Field(description="So long before its end people are asked to renew a consent."),
    ] = None
    double_opt_in: Annotated[
        bool | None, Field(description="Whether a consent counts only after its code came back.")
    ] = None
    yes_confirms: Annotated[
        bool, Field(description="Whether YES from the handset does what the code does.")
    ] = False
    join_words: list[Said] = Field(
        default_factory=list,
        max_length=20,
        description="Texts that ask to join.",
        examples=[["menu"]],
    )
    stop_words: list[Said] = Field(
        default_factory=list,
        max_length=20,
        description="Names of the program after STOP, as in STOP MENU.",
    )
    text: Annotated[
        ConsentText | None,
        Field(description="The consent text. A new one follows the old, which is kept."),
    ] = None


class ProgramRequest(ProgramChoices):
    slug: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
            description="The program's name in requests.",
            examples=["menu"],
        ),
    ]


class Program(Given):
    slug: Annotated[str, Field(examples=["menu"])]
    brand: Annotated[str, Field(examples=["Da Gino"])]
    purpose: Annotated[str, Field(examples=["the menu of the week"])]
    language: Language
    sender: str | None
    notice_url: str | None
    notice_version: Annotated[
        int | None, Field(description="Of the notice's words; null: they were never recorded.")
    ]
    notice_sha256: str | None
    controller_name: str | None
    controller_address: str | None
    privacy_contact: str | None
    retention_days: Annotated[int, Field(examples=[730])]
    renewal_days: Annotated[int, Field(examples=[60])]
    double_opt_in: Annotated[bool, Field(examples=[True])]
    yes_confirms: Annotated[bool, Field(examples=[False])]
    join_words: Annotated[list[str], Field(examples=[["menu"]])]
    stop_words: Annotated[list[str], Field(examples=[[]])]
    text: Annotated[str, Field(description="What people are shown now.", examples=[_TEXT])]
    text_version: Annotated[int, Field(examples=[1])]


class Programs(Given):
    programs: Annotated[list[Program], Field(description="The oldest first.")]

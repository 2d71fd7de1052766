"""The bodies and queries of the API: validated, answered and described from the same classes."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.errors import CodeFault, Reason
from app.core.models import DeliveryStatus, Purpose
from app.core.review import Verdict

MAX_CHECKED = 10_000
_MAX_BODY = 1600  # characters: Twilio's limit, error 21617


class Asked(BaseModel):
    """What a request brings: nothing unknown, nothing converted, no value in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Given(BaseModel):
    """What an answer holds."""

    model_config = ConfigDict(frozen=True)


def _whole(text: str) -> str:
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("must be Unicode text; it holds half a character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


Spelling = Annotated[str, AfterValidator(_whole)]
Words = Annotated[str, AfterValidator(_not_blank)]
Label = Annotated[Words, AfterValidator(_one_line)]
Word = Annotated[str, Field(pattern=r"^[!-~]+$")]

Number = Annotated[
    Spelling,
    Field(
        description="A telephone number in any spelling: `+39…`, `0039…`, national, with spaces.",
        examples=["+393331234567"],
    ),
]
E164 = Annotated[str, Field(description="The number in E.164.", examples=["+393331234567"])]
ProgramOrOwn = Annotated[
    Annotated[Word, Field(max_length=40)] | None,
    Field(description="The program; the API key's own if left out."),
]
ProgramOrAll = Annotated[
    Annotated[Word, Field(max_length=40)] | None,
    Field(description="One program; left out or `*`, all of them."),
]
ProgramOfSuppression = Annotated[
    str, Field(description="The program, or `*` for all.", examples=["*"])
]
AnyPurpose = Annotated[Purpose, Field(strict=False)]


class MessageRequest(Asked):
    to: Number
    body: Annotated[
        Words,
        Field(
            min_length=1,
            max_length=_MAX_BODY,
            description="The text.",
            examples=["Spring sale: 20 % off. Reply STOP to opt out"],
        ),
    ]
    program: ProgramOrOwn = None
    purpose: Annotated[
        AnyPurpose | None,
        Field(
            description="The API key's own if left out. A key for marketing sends no `service`.",
            examples=["marketing"],
        ),
    ] = None
    sender: Annotated[
        Annotated[Word, Field(max_length=64)] | None,
        Field(description="A number, a messaging service (`MG…`) or a name; else `TWILIO_FROM`."),
    ] = None
    idempotency_key: Annotated[
        Annotated[Word, Field(max_length=200)] | None,
        Field(
            description="Your own name for this message, unique for the API key: however often "
            "it is asked for, it is sent once, and the first answer is given again.",
            examples=["spring-42"],
        ),
    ] = None


class Message(Given):
    id: Annotated[str, Field(examples=["6f1c0a52e8d94b7fb3c1d2e4f5061728"])]
    to: Annotated[
        str | None,
        Field(description="E.164; null once erased.", examples=["+393331234567"]),
    ]
    status: Annotated[DeliveryStatus, Field(examples=["queued"])]
    provider_id: Annotated[
        str | None,
        Field(
            description="The provider's own id of the message.",
            examples=["SM0f3b5c7d9e1a2b4c6d8e0f1a3b5c7d9e"],
        ),
    ]
    segments: Annotated[int, Field(description="How many parts are paid for.", examples=[1])]


class ChecksRequest(Asked):
    to: Annotated[
        list[Spelling],
        Field(
            max_length=MAX_CHECKED,
            description="Telephone numbers, in any spelling.",
            examples=[["+393331234567", "not a number"]],
        ),
    ]
    program: ProgramOrOwn = None
    purpose: Annotated[
        AnyPurpose | None, Field(description="The API key's own if left out; any may be asked.")
    ] = None


class Check(Given):
    to: Annotated[str, Field(description="As it was asked.", examples=["+393331234567"])]
    allowed: Annotated[bool, Field(examples=[False])]
    reason: Annotated[
        Reason | None, Field(description="Null where allowed.", examples=["suppressed"])
    ]


class Checks(Given):
    results: Annotated[list[Check], Field(description="In the order asked.")]


class SuppressionsQuery(Asked):
    cursor: Annotated[
        str | None, Field(max_length=200, description="`next_cursor` of the page before.")
    ] = None
    limit: Annotated[int, Field(strict=False, ge=1, le=1000)] = 100


class Suppression(Given):
    to: Annotated[
        str | None,
        Field(
            description="E.164; null where the person was erased: the number stays silent.",
            examples=["+393331234567"],
        ),
    ]
    program: ProgramOfSuppression
    reason: Annotated[
        str, Field(description="`opt_out`: the person asked for it.", examples=["opt_out"])
    ]
    since: datetime
    ledger_entry_id: Annotated[
        int, Field(description="The entry that tells how it came about.", examples=[17])
    ]


class Suppressions(Given):
    suppressions: list[Suppression]
    next_cursor: Annotated[str | None, Field(description="Null on the last page.")]


class SuppressionRequest(Asked):
    to: Number
    program: ProgramOrAll = None
    reason: Annotated[
        Label,
        Field(
            min_length=1,
            max_length=100,
            description="Why, in a few words. It is kept even when the person is erased: "
            "name nobody in it.",
            examples=["complaint"],
        ),
    ]
    note: Annotated[
        Annotated[Words, Field(max_length=2000)] | None,
        Field(description="What happened; for the ledger.", examples=["Called the shop on Monday"]),
    ] = None


class SuppressionAdded(Given):
    to: E164
    program: ProgramOfSuppression
    added: Annotated[bool, Field(description="False: it was there already.", examples=[True])]


class LiftRequest(Asked):
    to: Number
    program: ProgramOrAll = None
    evidence: Annotated[
        Words,
        Field(
            min_length=1,
            max_length=2000,
            description="What the person said, where and when: it stands in the ledger.",
            examples=["Asked for messages again at the counter, form 2031 signed on 3 May"],
        ),
    ]


class SuppressionLifted(Given):
    to: E164
    program: ProgramOfSuppression
    lifted: Annotated[bool, Field(description="False: there was none to lift.", examples=[True])]


class ReviewsQuery(Asked):
    limit: Annotated[int, Field(strict=False, ge=1, le=1000)] = 100


class Review(Given):
    id: Annotated[int, Field(examples=[42])]
    number: Annotated[str, Field(description="Masked.", examples=["+39•••••••567"])]
    text: Annotated[str, Field(examples=["basta così, grazie"])]
    rule: Annotated[str, Field(description="Why it was held back.", examples=["phrase"])]
    received_at: datetime
    due_at: Annotated[datetime, Field(description="Undecided by then, it is an opt-out.")]


class Reviews(Given):
    reviews: Annotated[list[Review], Field(description="The newest first.")]


class DecisionRequest(Asked):
    decision: Annotated[
        Verdict,
        Field(
            strict=False,
            description="`opt_out`: no more messages of any program. `dismiss`: it was none.",
            examples=["opt_out"],
        ),
    ]
    by: Annotated[
        Annotated[Label, Field(max_length=60)] | None,
        Field(description="Who decided, for the ledger; the API key's name if left out."),
    ] = None


class Decision(Given):
    id: Annotated[int, Field(examples=[42])]
    decision: Verdict
    by: Annotated[str, Field(examples=["front desk"])]


class Fault(Given):
    field: Annotated[
        str | None, Field(description="Null: the request as a whole.", examples=["to"])
    ]
    fault: Annotated[str, Field(examples=["is required"])]


class Problem(Given):
    """RFC 9457. Never holds a telephone number or a message's text."""

    type: Annotated[
        str, Field(description="Always `about:blank`: status and `reason` tell what it is.")
    ]
    title: str
    status: int
    detail: str
    reason: Annotated[
        Reason | CodeFault | None,
        Field(description="Why a number must not get a message, or a code does not confirm."),
    ] = None
    errors: Annotated[
        list[Fault] | None, Field(description="With 422: what is wrong, the first 20.")
    ] = None
    permanent: Annotated[
        bool | None, Field(description="With 502: whether the same message can never be taken.")
    ] = None
    provider_code: Annotated[
        int | None, Field(description="With 502: the provider's own error code, if it gave one.")
    ] = None

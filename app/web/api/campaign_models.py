"""The bodies of the API about campaigns."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.core.campaigns import CampaignStatus
from app.web.api.models import AnyPurpose, Asked, Given, Label, Number, ProgramOrOwn, Word, Words

MAX_RECIPIENTS = 10_000
_MAX_BODY = 1600  # characters: Twilio's limit, error 21617
_MAX_FIELDS = 20


class Recipient(Asked):
    to: Number
    fields: Annotated[
        dict[str, Annotated[str, Field(max_length=_MAX_BODY)]],
        Field(
            default_factory=dict,
            max_length=_MAX_FIELDS,
            description="What stands in the text's places for this recipient.",
            examples=[{"nome": "Anna"}],
        ),
    ]


class CampaignRequest(Asked):
    name: Annotated[Label, Field(min_length=1, max_length=100, examples=["Spring sale"])]
    body: Annotated[
        Words,
        Field(
            min_length=1,
            max_length=_MAX_BODY,
            description="The text. `{nome}` stands for the recipient's field `nome`, `{nome|te}` "
            "for the same with a default; a brace itself is doubled.",
            examples=["Ciao {nome|a te}, saldi! Rispondi STOP per non ricevere altri messaggi"],
        ),
    ]
    recipients: Annotated[list[Recipient], Field(min_length=1, max_length=MAX_RECIPIENTS)]
    program: ProgramOrOwn = None
    purpose: Annotated[AnyPurpose | None, Field(description="The API key's own if left out.")] = (
        None
    )
    sender: Annotated[
        Annotated[Word, Field(max_length=64)] | None,
        Field(description="A number, a messaging service (`MG…`) or a name; else the program's."),
    ] = None
    rate: Annotated[
        float,
        Field(
            strict=False,
            ge=0,
            le=100_000,
            description="Messages a second, of all processes together; 0: no limit.",
        ),
    ] = 10.0
    cost_per_segment: Annotated[float | None, Field(strict=False, ge=0)] = None
    max_opt_out_share: Annotated[
        float,
        Field(strict=False, gt=0, le=1, description="Above this it stops itself. 5 % is 0.05."),
    ] = 0.05
    max_failure_share: Annotated[float, Field(strict=False, gt=0, le=1)] = 0.2


class PauseRequest(Asked):
    reason: Annotated[Label, Field(max_length=200, examples=["the price was wrong"])] = (
        "through the API"
    )


class ListFault(Given):
    place: Annotated[int, Field(description="In `recipients`, from 1.", examples=[3])]
    fault: Annotated[str, Field(examples=["not a valid telephone number"])]


class Plan(Given):
    """What the list came to when it was read: who gets the message is decided later."""

    recipients: int = 0
    duplicates: int = 0
    unreadable: int = 0
    refused: Annotated[dict[str, int], Field(default_factory=dict)]
    segments: int = 0
    longest_text: int = 0
    longest_segments: int = 0


class Campaign(Given):
    id: Annotated[int, Field(examples=[7])]
    name: str
    program: Annotated[str, Field(examples=["default"])]
    purpose: Annotated[str, Field(examples=["marketing"])]
    sender: str | None
    status: CampaignStatus
    pause_reason: str | None
    resumes_at: datetime | None
    rate: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: Plan
    estimated_cost: float | None
    counts: Annotated[
        dict[str, int], Field(description="By what became of them.", examples=[{"sent": 9}])
    ]
    refused: Annotated[dict[str, int], Field(description="The refused ones by reason.")]
    failed: Annotated[
        dict[int, int], Field(description="The failed ones by the provider's error; 0: none given.")
    ]
    segments: int
    cost: float | None


class CampaignPlanned(Given):
    campaign: Campaign
    faults: Annotated[list[ListFault], Field(description="Recipients that are left out.")]


class Step(Given):
    at: datetime
    sent: int
    opted_out: int


class CampaignReport(Given):
    campaign: Campaign
    delivery: Annotated[dict[str, int], Field(description="What became of the sent messages.")]
    opt_outs: Annotated[int, Field(description="Recipients who opted out after their message.")]
    opt_out_share: float
    step: Annotated[int, Field(description="Seconds that a step of the timeline lasts.")]
    timeline: list[Step]

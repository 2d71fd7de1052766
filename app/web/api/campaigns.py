"""Campaigns: planned here, sent by the workers."""

import re
from collections.abc import Callable, Iterator

from app.core.api_keys import Caller
from app.core.campaigns import Listed, NewCampaign
from app.core.campaigns.report import Standing
from app.core.errors import NotFoundError, NotNowError
from app.core.services import Services
from app.web.api.access import may_use, sending_scope
from app.web.api.campaign_models import (
    Campaign,
    CampaignPlanned,
    CampaignReport,
    CampaignRequest,
    ListFault,
    PauseRequest,
    Step,
)
from app.web.api.routes import Answer, Route

StartCampaign = Callable[[int], None]

_ID = re.compile(r"[0-9]{1,18}\Z")
_NOT_FOUND = "There is no such campaign, or it belongs to another key's program."


class CampaignRequests:
    """The requests about campaigns.

    `start` hands one to the workers; None where there are none.
    """

    def __init__(self, services: Services, start: StartCampaign | None) -> None:
        self._campaigns = services.campaigns
        self._start = start

    def routes(self) -> Iterator[Route]:
        planned = {201: CampaignPlanned}
        yield Route("plan_campaign", "POST", "/campaigns", self.plan, planned, body=CampaignRequest)
        shown, missing = {200: Campaign}, {404: _NOT_FOUND}
        yield Route("show_campaign", "GET", "/campaigns/{id}", self.show, shown, fails=missing)
        started = {202: Campaign}
        fails = {409: "As it stands it can't be sent, or there are no workers.", **missing}
        yield Route("run_campaign", "POST", "/campaigns/{id}/run", self.run, started, fails=fails)
        yield Route(
            "resume_campaign", "POST", "/campaigns/{id}/resume", self.resume, started, fails=fails
        )
        yield Route(
            "pause_campaign",
            "POST",
            "/campaigns/{id}/pause",
            self.pause,
            shown,
            body=PauseRequest,
            fails={409: "It is not running.", **missing},
        )
        yield Route(
            "report_campaign",
            "GET",
            "/campaigns/{id}/report",
            self.report,
            {200: CampaignReport},
            fails=missing,
        )

    def plan(self, caller: Caller, asked: CampaignRequest) -> Answer:
        """Plan a campaign; nothing is sent yet.

        Up to 10,000 recipients; longer lists go by the command line. Whether somebody may get the
        message is decided when it is sent.
        """
        new = NewCampaign(
            asked.name,
            asked.body,
            sending_scope(caller, asked.program, asked.purpose),
            asked.sender,
            asked.rate,
            asked.max_opt_out_share,
            asked.max_failure_share,
            asked.cost_per_segment,
        )
        columns = {name for each in asked.recipients for name in each.fields}
        listed = (Listed(place, r.to, r.fields) for place, r in enumerate(asked.recipients, 1))
        faults: list[ListFault] = []
        campaign_id = self._campaigns.create(
            new,
            columns,
            listed,
            lambda fault: faults.append(ListFault(place=fault.line, fault=fault.reason)),
        )
        answer = CampaignPlanned(
            campaign=_campaign(self._campaigns.show(campaign_id)),
            faults=faults,
        )
        return answer, 201

    def show(self, caller: Caller, campaign_id: str) -> Answer:
        """See how a campaign stands."""
        return _campaign(self._own(caller, campaign_id)), 200

    def run(self, caller: Caller, campaign_id: str) -> Answer:
        """Let the workers send a campaign."""
        return self._go(self._own(caller, campaign_id).id, self._campaigns.start)

    def resume(self, caller: Caller, campaign_id: str) -> Answer:
        """Let a paused campaign go on.

        Where it had stopped itself, it counts anew from here.
        """
        return self._go(self._own(caller, campaign_id).id, self._campaigns.resume)

    def pause(self, caller: Caller, campaign_id: str, asked: PauseRequest) -> Answer:
        """Stop a campaign, wherever it is being sent."""
        own = self._own(caller, campaign_id)
        self._campaigns.pause(own.id, asked.reason)
        return _campaign(self._campaigns.show(own.id)), 200

    def report(self, caller: Caller, campaign_id: str) -> Answer:
        """See what came of a campaign: counts, reasons, opt-outs, over time."""
        found = self._campaigns.report(self._own(caller, campaign_id).id)
        answer = CampaignReport(
            campaign=_campaign(found.standing),
            delivery=dict(found.delivery),
            opt_outs=found.opt_outs,
            opt_out_share=found.opt_out_share,
            step=found.step,
            timeline=[Step.model_validate(each, from_attributes=True) for each in found.timeline],
        )
        return answer, 200

    def _own(self, caller: Caller, campaign_id: str) -> Standing:
        if not _ID.match(campaign_id):
            raise NotFoundError("there is no such campaign")
        found = self._campaigns.show(int(campaign_id))
        if not may_use(caller, found.program):
            raise NotFoundError("there is no such campaign")
        return found

    def _go(self, campaign_id: int, let: Callable[[int], None]) -> Answer:
        if self._start is None:
            raise NotNowError(
                "there are no workers to send it: set BROKER_URL and start one, or send it with "
                f"`optout campaign run {campaign_id}`"
            )
        let(campaign_id)
        self._start(campaign_id)
        return _campaign(self._campaigns.show(campaign_id)), 202


def _campaign(standing: Standing) -> Campaign:
    return Campaign.model_validate(standing, from_attributes=True)

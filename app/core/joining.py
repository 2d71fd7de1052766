"""The public form of double opt-in: what it shows is the same whichever number is typed in.

Anyone may type anybody's number there. A form that answered differently for those who have opted
out would tell strangers who has; so it goes on to ask for a code, which in that case was not sent.
"""

import secrets
from datetime import timedelta

import sqlalchemy as sa

from app.core.database import Database
from app.core.errors import (
    CodeFault,
    CodeRefusedError,
    NotFoundError,
    NotSentError,
    ProviderOptedOutError,
    Reason,
    TooManyRequestsError,
)
from app.core.limits import Limit, Limiter
from app.core.models import OptInRequest, RequestStatus
from app.core.optin import Join, OptIns
from app.core.policy import Clock, Policy

_DAY = timedelta(days=1)


class JoinForm:
    """Takes a number, and then the code that came back. Requests are known to the browser by id."""

    def __init__(self, database: Database, policy: Policy, opt_ins: OptIns, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._opt_ins = opt_ins
        self._limiter = Limiter(database, clock)

    def ask(self, join: Join) -> str:
        """Ask to join; the request's id, or for an opted-out number one that leads nowhere.

        Raises what OptIns.request raises, but for the opt-out.
        """
        try:
            return self._opt_ins.request(join).id
        except ProviderOptedOutError:
            return secrets.token_hex(16)
        except NotSentError as error:
            if error.reason is not Reason.SUPPRESSED:
                raise
            return secrets.token_hex(16)

    def enter(self, request_id: str, code: str, browser: str | None = None) -> None:
        """The code was typed in, in this browser, as the ledger is to remember it.

        Raises CodeRefusedError; not for a right code sent twice.
        """
        try:
            self._opt_ins.confirm(request_id, code, said=browser)
        except NotFoundError:
            raise CodeRefusedError(self._fault_of_a_guess(request_id)) from None
        except CodeRefusedError:
            if not self.has_joined(request_id):
                raise

    def has_joined(self, request_id: str) -> bool:
        """Whether the request has led to a consent, by this form or from the handset."""
        query = sa.select(OptInRequest.status).where(OptInRequest.id == request_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar() == RequestStatus.ACTIVE

    def _fault_of_a_guess(self, request_id: str) -> CodeFault:
        """Attempts on a request that leads nowhere come to an end as all do."""
        limit = Limit("codes for nothing", self._policy.code_attempts - 1, _DAY)
        try:
            self._limiter.spend(limit, request_id)
        except TooManyRequestsError:
            return CodeFault.TOO_MANY_ATTEMPTS
        return CodeFault.WRONG_CODE

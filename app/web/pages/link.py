"""What the views behind a person's link share: whose it is, and that a form comes from its page."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Response, request
from itsdangerous import BadData, URLSafeTimedSerializer

from app.core.preferences import Standing
from app.core.services import Services
from app.web.pages.frame import Frame
from app.web.visitors import address_of

_FORM_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnLink:
    """`forms` seals the link into its page's forms: proof that they come from there."""

    services: Services
    frame: Frame
    forms: URLSafeTimedSerializer

    def show(self, template: str, token: str, status: int = 200, **facts: Any) -> Response:
        """A page of this link, with the seal for its forms. Raises NotFoundError."""
        standing = self.standing(token)
        language = self.frame.language(known=standing.language)
        form = self.forms.dumps(token)
        shown = {"standing": standing, "token": token, "form": form, **facts}
        return self.frame.show(template, language, status, **shown)

    def comes_from_page_of(self, token: str) -> bool:
        return is_sealed(self.forms, request.form.get("form", ""), token, _FORM_LIFETIME)

    def standing(self, token: str) -> Standing:
        return self.services.preferences.of(token, self.address())

    def person(self, token: str) -> bytes:
        return self.services.preferences.person_behind(token, self.address())

    def language(self, token: str) -> str:
        return self.frame.language(known=self.standing(token).language)

    def address(self) -> str:
        return address_of(request, self.services.policy.public_url)


def is_sealed(
    serializer: URLSafeTimedSerializer, seal: str, token: str, lifetime: timedelta
) -> bool:
    """Whether a seal is of this very link, and young enough."""
    try:
        sealed = serializer.loads(seal, max_age=int(lifetime.total_seconds()))
    except BadData:
        return False
    return bool(sealed == token)

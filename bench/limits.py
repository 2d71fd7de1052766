"""What the webhook is measured against: Flask with as little in it as can be."""

import os
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Flask, Response, abort, request
from sqlalchemy.dialects.postgresql import insert
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from bench.load import PATH
from bench.settings import AUTH_TOKEN, PUBLIC_URL

_ANSWER = "You are opted out. Text START to come back."

SUPPRESSED = sa.Table(
    "bench_suppressed",
    sa.MetaData(),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
)


def empty() -> Flask:
    """An application that does nothing."""
    app = Flask(__name__, static_folder=None)

    @app.get("/healthz")
    def alive() -> str:
        return "alive\n"

    return app


def bare() -> Flask:
    """Parses the form and answers."""
    app = empty()

    @app.post(PATH)
    def inbound() -> Response:
        stop = request.form["Body"].strip().upper() == "STOP"
        return _twiml(_ANSWER if stop and request.form["From"] else None)

    return app


def upsert() -> Flask:
    """Checks the signature, stores the suppression with one statement, answers."""
    app = empty()
    validator = RequestValidator(AUTH_TOKEN)
    engine = sa.create_engine(os.environ["DATABASE_URL"], pool_size=16, pool_use_lifo=True)

    @app.post(PATH)
    def inbound() -> Response:
        signature = request.headers.get("X-Twilio-Signature", "")
        if not validator.validate(PUBLIC_URL + request.path, request.form, signature):
            abort(403)
        row = {
            "number": request.form["From"],
            "message_id": request.form["MessageSid"],
            "since": datetime.now(UTC),
        }
        query = insert(SUPPRESSED).values(row)
        with engine.begin() as connection:
            connection.execute(
                query.on_conflict_do_update(
                    index_elements=["number"], set_={"message_id": query.excluded.message_id}
                )
            )
        return _twiml(_ANSWER)

    return app


def _twiml(reply: str | None) -> Response:
    answer = MessagingResponse()
    if reply:
        answer.message(reply)
    return Response(str(answer), mimetype="text/xml")

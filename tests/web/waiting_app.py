"""A web application for gunicorn that says when a request is in hand, and waits to be let go."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    Path(os.environ["TEST_BEGUN"]).write_text("begun")
    with Path(os.environ["TEST_LET_GO"]).open("rb", buffering=0) as gate:
        gate.read(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"finished"]

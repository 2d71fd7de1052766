"""Scripts, styles and pictures, under a path that changes when one of them does."""

from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory, url_for

_FOLDER = Path(__file__).parent / "static"
_YEAR = 365 * 24 * 3600


def attach(app: Flask) -> None:
    """Serve `static/`, and give templates `asset(name)`: the address of one file."""
    version = _version()
    assets = Blueprint("assets", __name__, url_prefix="/static")

    @assets.get("/<asked>/<path:name>")
    def show(asked: str, name: str) -> Response:
        response = send_from_directory(_FOLDER, name, max_age=_YEAR)
        if asked == version:
            response.cache_control.immutable = True
        else:  # a page from before or after this release: what we have, to be asked for again
            response.headers["Cache-Control"] = "no-cache"
        return response

    app.register_blueprint(assets)
    app.jinja_env.globals["asset"] = lambda name: url_for("assets.show", asked=version, name=name)


def _version() -> str:
    files = sorted(path for path in _FOLDER.rglob("*") if path.is_file())
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]

"""`/openapi.json` and `/docs`: the API's description, for programs and for people."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape

from app.web.api import PREFIX
from app.web.api.openapi import document, resolved
from app.web.api.routes import Route

Json = dict[str, Any]

_CODE = re.compile(r"`([^`]+)`")
_ITEM = re.compile(r"\A- ")


def blueprint(routes: Sequence[Route], public_url: str) -> Blueprint:
    """Both public: they say what there is, and nothing of what is in it."""
    docs = Blueprint("docs", __name__)
    description = document(routes, PREFIX, public_url)
    groups = _groups(description)
    as_json = json.dumps(description, ensure_ascii=False)
    docs.add_app_template_filter(_prose, "prose")
    docs.add_app_template_filter(_code, "code")

    @docs.get("/openapi.json")
    def openapi() -> Response:
        return Response(as_json, mimetype="application/json")

    @docs.get("/docs")
    def show() -> str:
        return render_template("docs.html", info=description["info"], groups=groups)

    return docs


def _groups(description: Json) -> dict[str, list[Json]]:
    """The requests as the page shows them, under what they are about."""
    groups: dict[str, list[Json]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            shown = _shown(operation, description["components"]["schemas"])
            groups.setdefault(operation["tags"][0], []).append(
                {**shown, "method": method.upper(), "path": path}
            )
    return groups


def _shown(operation: Json, schemas: Mapping[str, Json]) -> Json:
    answers = operation["responses"].items()
    status, success = next(iter(answers))
    content = success["content"]["application/json"]
    example = json.dumps(content["example"], indent=2, ensure_ascii=False)
    asked = operation.get("requestBody", {}).get("content", {}).get("application/json")
    query = [each for each in operation["parameters"] if each["in"] == "query"]
    return {
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "curl": operation["x-codeSamples"][0]["source"],
        "example": f"{status} {success['description']}\n{example}",
        "body": _fields(asked["schema"], schemas) if asked else [],
        "query": [_field(each["name"], each["schema"], schemas) for each in query],
        "answer": _fields(content["schema"], schemas, may_be_null=True),
        "failures": [(code, each["description"]) for code, each in answers if code >= "400"],
    }


def _fields(
    schema: Json, schemas: Mapping[str, Json], *, inner: bool = False, may_be_null: bool = False
) -> list[Json]:
    """The fields of an object, and of the objects in its lists, as a table shows them."""
    whole = resolved(schema, schemas)
    shown = []
    for name, field in whole["properties"].items():
        row = _field(name, field, schemas, may_be_null=may_be_null)
        shown.append({**row, "needed": name in whole.get("required", ()), "inner": inner})
        if "$ref" in field.get("items", {}):
            shown += _fields(field["items"], schemas, inner=True, may_be_null=may_be_null)
    return shown


def _field(
    name: str, schema: Json, schemas: Mapping[str, Json], *, may_be_null: bool = False
) -> Json:
    kinds = [_kind(resolved(each, schemas)) for each in schema.get("anyOf", [schema])]
    kind = " or ".join(kind for kind in kinds if may_be_null or kind != "null")
    default = schema.get("default")
    about = schema.get("description", "") + (f" Default: {default}." if default else "")
    return {"name": name, "kind": kind, "about": about}


def _kind(schema: Json) -> str:
    """What a field may hold, in words."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kind = str(schema.get("format") or schema["type"]).replace("array", "list")
    limits = (("maxLength", "characters"), ("maxItems", "entries"), ("maximum", ""))
    bounds = (f", at most {schema[name]:,} {what}" for name, what in limits if name in schema)
    return kind + "".join(bounds).rstrip()


def _prose(text: str) -> Markup:
    """The little of Markdown that our descriptions use: paragraphs, lists, code."""
    return Markup("").join(_block(block) for block in text.split("\n\n"))


def _block(block: str) -> Markup:
    if not _ITEM.match(block):
        return Markup("<p>{}</p>").format(_code(block))
    items = (Markup("<li>{}</li>").format(_code(line[2:])) for line in block.split("\n"))
    return Markup("<ul>{}</ul>").format(Markup("").join(items))


def _code(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before

"""`/openapi.json` and `/docs`: the API's description, for programs and for people."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from markupsafe import Markup, escape

from app.web.api import PREFIX
from app.web.api.openapi import document, resolved
from app.web.api.routes import Route

_CODE = re.compile(r"`([^`]+)`")
_ITEM = re.compile(r"\A- ")


def blueprint(routes: Sequence[Route], public_url: str) -> Blueprint:
    """Both public: they say what there is, and nothing of what is in it."""
    docs = Blueprint("docs", __name__)
    description = document(routes, PREFIX, public_url)
    docs.add_app_template_filter(_prose, "prose")
    docs.add_app_template_filter(_code, "code")
    docs.add_app_template_filter(_pretty, "pretty")

    @docs.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)

    @docs.get("/docs")
    def show() -> str:
        schemas = description["components"]["schemas"]
        operations = [
            {**operation, "method": method.upper(), "path": path}
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
        ]
        return render_template(
            "docs.html",
            info=description["info"],
            operations=operations,
            fields=lambda schema: _fields(schema, schemas),
            kind=lambda schema: _kind(schema, schemas),
        )

    return docs


def _pretty(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _fields(schema: dict[str, Any], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of an object, as a table shows them."""
    whole = resolved(schema, schemas)
    return [
        {
            "name": name,
            "kind": _kind(field, schemas),
            "needed": name in whole.get("required", ()),
            "about": field.get("description", ""),
        }
        for name, field in whole["properties"].items()
    ]


def _kind(schema: dict[str, Any], schemas: Mapping[str, Any]) -> str:
    """What a field may hold, in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(each, schemas) for each in schema["anyOf"])
    schema = resolved(schema, schemas)
    if "enum" in schema:
        return " | ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'], schemas)}" + _bounds(schema, "Items")
    kind = str(schema.get("format") or schema.get("title") or schema["type"])
    return (kind if schema["type"] == "object" else schema["type"]) + _bounds(schema, "Length")


def _bounds(schema: dict[str, Any], what: str) -> str:
    most = schema.get(f"max{what}") or schema.get("maximum")
    return f", at most {most:,}" if most else ""


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

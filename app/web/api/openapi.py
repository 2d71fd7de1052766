"""The API's description, OpenAPI 3.1, from the same table and models that answer its requests.

https://spec.openapis.org/oas/v3.1.1.html
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.core.errors import EXPLANATIONS
from app.web.api.models import Problem
from app.web.api.routes import Route

Json = dict[str, Any]

_REF = "#/components/schemas/"
_VARYING = re.compile(r"\{(\w+)\}")

_EVERYWHERE = {
    401: "No API key, or one that is unknown or revoked.",
    403: "The API key may not do this.",
    500: "Something went wrong on our side. A send that ends so may have happened.",
    503: "The database can't be reached: nothing was sent or changed. Try again later.",
}
_WITH_BODY = {
    400: "The body is not JSON: not UTF-8, a syntax error, a name given twice, a number like NaN.",
    413: "The body is larger than 1 MB.",
    415: "The body is not declared as `application/json`.",
}
_PAGE: Json = {kind: {"schema": {"type": "string"}} for kind in ("text/html", "text/csv")}
_FAULTY = {422: "A field is missing, unknown or wrong: `errors` names each."}

_ABOUT = """
Telephone numbers travel in bodies, never in addresses, and never stand in an error.

Every request carries an API key: `Authorization: Bearer <secret>`, made with
`optout api-key create NAME`. A key has a program and a purpose. They are what a request means that
names none, and they are its limits: a key made for a program acts for that program alone, while one
of the default program may name any; a key for `marketing` sends no `service` messages.

Errors are `application/problem+json` (RFC 9457). Where a number must not get a message, `reason`
says why:
"""


def document(routes: Sequence[Route], prefix: str, public_url: str) -> Json:
    """The whole description, ready to be written as JSON."""
    schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, schemas, public_url + prefix)
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.1",
        "info": {"title": "SMS opt-out gateway", "version": "1", "description": _about()},
        "servers": [{"url": public_url}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def resolved(schema: Json, schemas: Mapping[str, Json]) -> Json:
    """The schema itself, where it is only referred to."""
    reference = schema.get("$ref")
    return {**schemas[reference.removeprefix(_REF)], **schema} if reference else schema


def _about() -> str:
    reasons = (f"- `{reason}`: {why}" for reason, why in EXPLANATIONS.items())
    return f"{_ABOUT.strip()}\n\n" + "\n".join(reasons)


def _schemas(routes: Iterable[Route]) -> dict[str, Json]:
    models: list[Any] = [(Problem, "serialization")]
    for route in routes:
        models += [(model, "serialization") for model in route.gives.values()]
        models += [(route.body, "validation")] if route.body else []
    _, definitions = models_json_schema(models, ref_template=_REF + "{model}")
    found: dict[str, Json] = definitions["$defs"]
    return found


def _operation(route: Route, schemas: Mapping[str, Json], address: str) -> Json:
    summary, _, description = cleandoc(route.handle.__doc__ or "").partition("\n")
    operation: Json = {
        "operationId": route.name,
        "tags": [route.path.split("/")[1]],
        "summary": summary.rstrip("."),
        "description": " ".join(description.split()),
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    if route.body:
        content = _content(route.body, schemas)
        operation["requestBody"] = {"required": True, "content": content}
    operation["x-codeSamples"] = [{"lang": "Shell", "source": _curl(route, operation, address)}]
    return operation


def _parameters(route: Route) -> list[Json]:
    in_path: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _VARYING.findall(route.path)
    ]
    query = route.query.model_json_schema()["properties"] if route.query else {}
    in_query = [{"name": name, "in": "query", "schema": query[name]} for name in query]
    return in_path + in_query


def _responses(route: Route, schemas: Mapping[str, Json]) -> dict[str, Json]:
    fails = {**_EVERYWHERE, **(_WITH_BODY if route.body else {}), **route.fails}
    if route.body or route.query:
        fails |= _FAULTY
    given = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": _content(model, schemas) | (_PAGE if route.as_page else {}),
        }
        for status, model in route.gives.items()
    }
    problem = {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}}
    failed = {
        str(status): {"description": fails[status], "content": problem} for status in sorted(fails)
    }
    return given | failed


def _content(model: type[BaseModel], schemas: Mapping[str, Json]) -> Json:
    schema = {"$ref": _REF + model.__name__}
    return {"application/json": {"schema": schema, "example": _example(schema, schemas)}}


def _example(schema: Json, schemas: Mapping[str, Json]) -> Any:
    """An instance, made of the fields' own examples; optional fields without one are left out."""
    schema = resolved(schema, schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "object":
        fields = schema.get("properties", {}).items()  # a map from names to values has none
        needed = schema.get("required", ())
        return {
            name: _example(field, schemas)
            for name, field in fields
            if name in needed or "examples" in field
        }
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if "enum" in schema:
        return schema["enum"][0]
    return "2026-05-03T10:15:00Z" if schema.get("format") == "date-time" else None


def _curl(route: Route, operation: Json, address: str) -> str:
    lines = [f"curl {address}{route.path}", '-H "Authorization: Bearer $OPTOUT_API_KEY"']
    if route.body:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        lines += [
            '-H "Content-Type: application/json"',
            f"-d '{json.dumps(example, indent=2, ensure_ascii=False)}'",
        ]
    return " \\\n  ".join(lines)

"""The OpenAPI document of a service, made of the JSON Schemas of the commands' output."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from facekit.enums import FacePolicy, Metric, NamedPoint, PersonRule, QualityGate
from facekit.server.verbs import (
    MEMBERS,
    MOST_PHOTOS,
    NAMES,
    PHOTO_MEMBERS,
    READ_ROUTES,
    WORK_ROUTES,
    Verb,
)
from facekit.version import __version__

_PACKAGE = Path(__file__).resolve().parents[1]
SCHEMAS = (
    _PACKAGE / "schemas"
    if (_PACKAGE / "schemas").is_dir()
    else _PACKAGE.parent / "docs" / "schemas"
)
"""docs/schemas lies beside the package in a checkout and within it in an installation (see
setup.py)."""

Schema = dict[str, Any]

_SUMMARIES = {
    Verb.VERIFY: "Decide whether two photos show the same person",
    Verb.REPRESENT: "Embed the faces of a photo",
    Verb.DETECT: "Find the faces in a photo",
    Verb.QUALITY: "Rate how well the faces in a photo can be recognized",
    Verb.COMPARE: "Compare every photo with every other",
    Verb.IDENTIFY: "Name the people in photos by the gallery",
    Verb.ENROLL: "Add a person to the gallery",
    Verb.PEOPLE: "List the enrolled people",
    Verb.SHOW: "Show a person's templates",
    Verb.RENAME: "Rename a person",
    Verb.MERGE: "Move all templates of one person to another",
    Verb.UNMERGE: "Undo the latest merge of two people",
    Verb.REMOVE: "Remove a person",
    Verb.MODELS: "List the models",
    Verb.MODEL: "Show the card of the model that answers",
}
_ERRORS = {
    400: "The request is not valid.",
    401: "A token is needed.",
    403: "Not allowed: another site's page, or a service that changes nothing.",
    408: "The body did not arrive in time.",
    409: "The gallery or the card does not fit the model.",
    413: "The body or the photo is too large.",
    415: "The body is neither JSON nor a form.",
    421: "The Host is not one of this service.",
    422: "A photo cannot be read, or has no face.",
    503: "Busy, or a worker ended: ask again after Retry-After.",
}


def _words(kind: type[Enum]) -> Schema:
    return {"type": "string", "enum": [member.value for member in kind]}


_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_RATE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000}
_PROPERTIES: Mapping[str, Schema] = {
    "face": {**_words(FacePolicy), "description": "Which face of a photo is meant."},
    "metric": {**_words(Metric), "description": "The distance that threshold is in."},
    "threshold": {"type": "number", "minimum": 0, "description": "Largest distance of a match."},
    "min_similarity": {
        "type": "number",
        "minimum": -1,
        "maximum": 1,
        "description": "Least cosine similarity of a match.",
    },
    "fmr": {
        "anyOf": [_RATE, _words(NamedPoint)],
        "description": "The card's threshold at this false match rate.",
    },
    "fpir": {**_RATE, "description": "Predicted share of unknown faces that are found."},
    "min_margin": {
        "type": "number",
        "minimum": 0,
        "maximum": 2,
        "description": "Least margin of a known face; a smaller one makes it ambiguous.",
    },
    "min_quality": {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "description": "Least unified quality score of a face.",
    },
    "quality": {**_words(QualityGate), "description": "Which photos are good enough."},
    "by": {**_words(PersonRule), "description": "How a person with several photos is compared."},
    "top": {**_COUNT, "description": "How many people are listed for a face."},
    "max_faces": {**_COUNT, "description": "How many faces are returned, the largest first."},
    "model": {"type": "string", "description": "Refused unless the service answers with it."},
    "detector": {"type": "string", "description": "Refused unless the service answers with it."},
    **{name: {**_NAME, "description": "A person's name."} for name in NAMES},
}
_DEEPFACE: Mapping[str, Schema] = {
    "model_name": _PROPERTIES["model"],
    "detector_backend": _PROPERTIES["detector"],
    "distance_metric": {"enum": ["cosine", "euclidean_l2", "angular"]},
    "enforce_detection": {"const": True},
    "align": {"const": True},
    "anti_spoofing": {"const": False},
}
"""Members of deepface that /verify and /represent take too."""
_PHOTO: Schema = {
    "description": 'base64, with or without "data:image/...;base64," before it.',
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "required": ["base64"],
            "properties": {"base64": {"type": "string"}},
            "additionalProperties": False,
        },
    ],
}
_UPLOAD: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_PHOTOS: Schema = {"type": "array", "minItems": 1, "maxItems": MOST_PHOTOS}


@cache
def document() -> Schema:
    """Returns the OpenAPI 3.1 document."""
    paths: Schema = {
        **{path: {"get": _read_operation(path, verb)} for path, verb in READ_ROUTES.items()},
        **{path: {"post": _work_operation(verb)} for path, verb in WORK_ROUTES.items()},
        "/healthz": {"get": _operation("Say that the server runs", "health")},
        "/readyz": {"get": _operation("Say that the networks are loaded", "ready")},
    }
    schemas = {
        path.stem: _with_own_references(json.loads(path.read_text()), path.name)
        for path in sorted(SCHEMAS.glob("*.json"))
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "facekit", "version": __version__},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def document_page() -> str:
    """Returns the document as a page for people, which loads nothing else."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>facekit: HTTP</title>',
            "<h1>facekit over HTTP</h1>",
            '<p>For programs: <a href="openapi.json">openapi.json</a>. Every error is an object '
            "with type, message and exit_code.</p>",
            *_operations_as_html(),
            "</html>",
        )
    )


def _operations_as_html() -> Iterator[str]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{method.upper()} {html.escape(path)}</h2><p>{operation['summary']}</p>"
            members = {
                one["name"]: (one["schema"], one["required"])
                for one in operation.get("parameters", ())
            }
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]
                members = {
                    name: (schema, name in body["required"])
                    for name, schema in body["properties"].items()
                }
            if members:
                yield "<table><tr><th>member</th><th></th><th>meaning</th></tr>"
                for name, (schema, required) in members.items():
                    told = html.escape(schema.get("description", json.dumps(schema)))
                    needed = "needed" if required else ""
                    yield f"<tr><td>{name}</td><td>{needed}</td><td>{told}</td></tr>"
                yield "</table>"


def _operation(summary: str, answer: str, *errors: int, **more: Any) -> Schema:
    responses: Schema = {"200": _response("The answer.", answer)}
    for status in (*errors, 401, 421, 503):
        responses[str(status)] = _response(_ERRORS[status], "failure")
    return {"operationId": answer, "summary": summary, "responses": responses, **more}


def _response(description: str, name: str) -> Schema:
    schema = {"$ref": f"#/components/schemas/serve/$defs/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _read_operation(path: str, verb: Verb) -> Schema:
    parameters = [
        {"name": name, "in": "query", "required": True, "schema": dict(_PROPERTIES[name])}
        for name in MEMBERS[verb]
    ]
    operation = _operation(_SUMMARIES[verb], verb.value, 400, 409, parameters=parameters)
    return _with_not_found(operation, verb)


def _work_operation(verb: Verb) -> Schema:
    errors = (400, 403, 408, 409, 413, 415, *((422,) if verb in PHOTO_MEMBERS else ()))
    content = {"application/json": {"schema": _body(verb, _PHOTO)}}
    if verb in PHOTO_MEMBERS:
        content["multipart/form-data"] = {"schema": _body(verb, _UPLOAD)}
    operation = _operation(
        _SUMMARIES[verb],
        verb.value,
        *errors,
        requestBody={"required": True, "content": content},
    )
    return operation if verb in PHOTO_MEMBERS else _with_not_found(operation, verb)


def _with_not_found(operation: Schema, verb: Verb) -> Schema:
    if MEMBERS[verb]:
        operation["responses"]["404"] = _response("Nobody has this name.", verb.value)
    return operation


def _body(verb: Verb, photo: Schema) -> Schema:
    photos = {
        name: {**_PHOTOS, "items": photo} if name == "photos" else photo
        for name in PHOTO_MEMBERS.get(verb, ())
    }
    needed = [*photos, *(name for name in MEMBERS[verb] if name in NAMES)]
    deepface = _DEEPFACE if verb in (Verb.VERIFY, Verb.REPRESENT) else {}
    members = {name: _PROPERTIES[name] for name in MEMBERS[verb]}
    if verb in PHOTO_MEMBERS:
        members["id"] = {"description": "Whatever it is, it is returned."}
    return {
        "type": "object",
        "required": needed,
        "properties": {**photos, **members, **deepface},
        "additionalProperties": False,
    }


def _with_own_references(schema: Any, file: str) -> Any:
    """Returns a schema whose references to other files, and within its own, are the document's."""
    if isinstance(schema, list):
        return [_with_own_references(one, file) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {
        name: _with_own_references(value, file)
        for name, value in schema.items()
        if name != "$schema"
    }
    if isinstance(reference := schema.get("$ref"), str):
        target, _, pointer = reference.partition("#")
        name = (target or file).removesuffix(".json")
        changed["$ref"] = f"#/components/schemas/{name}{pointer}"
    return changed

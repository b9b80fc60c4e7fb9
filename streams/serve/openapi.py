"""The OpenAPI document of the read API; a test compares it with the routes."""

from typing import Any

from streams.serve.roles import Role

_TEXT = {"type": "string"}


def _asked(name: str, what: str, *, path: bool = False) -> dict[str, Any]:
    where = "path" if path else "query"
    return {"name": name, "in": where, "description": what, "required": path, "schema": _TEXT}


PERIOD = (
    _asked("from", "RFC 3339: the first instant."),
    _asked("to", "RFC 3339: the first instant after it."),
)
PLATFORM = _asked("platform", "Of one platform alone.")
ACCOUNT = _asked("account", "platform:account_id", path=True)

ROUTES: dict[str, tuple[str, Role, tuple[dict[str, Any], ...]]] = {
    "/v1/accounts/{account}": (
        "Why an account is where it is: what `byline explain --json` says.",
        Role.ACCOUNTS,
        (ACCOUNT, _asked("lang", "en or zh")),
    ),
    "/v1/accounts/{account}/events": (
        "What went out about an account, in its order.",
        Role.ACCOUNTS,
        (ACCOUNT, *PERIOD),
    ),
    "/v1/worklists/{list}": (
        "Accounts that need a person: what `byline worklist --json` says.",
        Role.ACCOUNTS,
        (
            _asked("list", "undeliverable, unconfirmed, unclear, pending, appeals", path=True),
            PLATFORM,
        ),
    ),
    "/v1/funnel": (
        "How many, by step: what `byline funnel --json` says.",
        Role.NUMBERS,
        (*PERIOD, PLATFORM, _asked("by", "platform, phase, field or day")),
    ),
    "/v1/report": (
        "A period's numbers: what `byline report --as json` says.",
        Role.NUMBERS,
        (*PERIOD, PLATFORM),
    ),
    "/v1/propagation": (
        "Share and delay of acknowledgement by enforcing system: `byline propagation --json`.",
        Role.NUMBERS,
        (*PERIOD, PLATFORM),
    ),
}
"""Each route: its summary, the role that it needs, and its parameters."""


def document(version: str) -> dict[str, Any]:
    """Returns the OpenAPI document for a version of Byline."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Byline read API", "version": version},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
        "paths": {path: {"get": _operation(path)} for path in ROUTES},
    }


def _operation(path: str) -> dict[str, Any]:
    what, role, asked = ROUTES[path]
    answers = {
        "200": "The answer; `as_of` or `source` say as of when it is.",
        "400": "The question cannot be meant; `error` says why.",
        "401": "No token, or nobody's.",
        "403": f"The token lacks the role `{role}`.",
        "503": "The database does not answer, or the index has not yet read all topics.",
    }
    return {
        "summary": what,
        "description": f"Role: {role}.",
        "parameters": list(asked),
        "responses": {
            code: {
                "description": text,
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
            for code, text in answers.items()
        },
    }

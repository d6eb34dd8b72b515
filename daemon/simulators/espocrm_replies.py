"""How the simulated EspoCRM says no: status, X-Status-Reason and body as they were observed (facts: EspoCRM §8.1)."""

from __future__ import annotations

from typing import Any

from daemon.simulators.wire import Answer, JsonObject, json_answer, text_answer

_JSON = {"Content-Type": "application/json"}
_PAGE = (
    '<!doctype html><html lang="en">    <head>        <meta charset="utf-8">        <title>{title}</title>'
    "    </head>    <body>        <h1>{title}</h1>    </body></html>"
)
_NGINX = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
)


def refusal(status: int, reason: str, body: Any = None) -> Answer:
    """A refusal with a reason and, mostly, nothing else."""
    headers = {"X-Status-Reason": reason}
    if body is None:
        return Answer(status, {**_JSON, **headers})
    return json_answer(body, status, headers)


def translated(status: int, reason: str, label: str, data: JsonObject) -> Answer:
    """A refusal with a body for the user interface."""
    return refusal(status, reason, {"messageTranslation": {"label": label, "scope": None, "data": data}})


def validation_failure(entity: str, name: str, kind: str) -> Answer:
    """400 for the first bad field; does not say which item (§3.5)."""
    reason = f"Field validation failure; entityType: {entity}, field: {name}, type: {kind}."
    return translated(400, reason, "validationFailure", {"field": name, "type": kind})


def bare(status: int, headers: dict[str, str] | None = None) -> Answer:
    """An empty text/html answer: a failed login, a crash."""
    return Answer(status, {"Content-Type": "text/html; charset=UTF-8", **(headers or {})})


def crash() -> Answer:
    """500 with nothing in it."""
    return Answer(500, dict(_JSON))


def page(status: int, title: str, headers: dict[str, str] | None = None) -> Answer:
    """An HTML page of the framework (Slim): unknown route, wrong method."""
    answer = text_answer(_PAGE.format(title=title), status, "text/html;charset=UTF-8")
    return Answer(status, {**answer.headers, **(headers or {})}, answer.body)


def gateway_page(status: int, title: str) -> Answer:
    """An HTML page of the web server: 413, 414, 502."""
    return text_answer(_NGINX.format(title=f"{status} {title}"), status, "text/html; charset=utf-8")

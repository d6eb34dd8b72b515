"""One request as the pages see it, and the answers that a page may give instead of itself.

Made by :mod:`daemon.page.door`, read by every view. What a form says is read here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web
from multidict import MultiDictProxy

from daemon.page.language import Language, Text

#: What aiohttp makes of a form: texts (and files, which we never take).
Form = MultiDictProxy[str | bytearray | bytes | web.FileField]


class Sorry(Exception):
    """This page cannot be shown or this cannot be done: a page that says why, with a way back."""

    def __init__(self, status: int, why: Text) -> None:
        super().__init__(why.en)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class Visit:
    """``id``: of the browser; ``form_token``: what its forms bring along. ``form``: empty for a GET.
    ``known``: a login is asked for, and this visitor has logged in."""

    request: web.Request
    id: str
    language: Language
    form_token: str
    form: dict[str, list[str]]
    known: bool = False

    def say(self, de: str, en: str) -> str:
        return Text(de, en).in_(self.language)

    def query(self, name: str) -> str:
        """ "" when it is not in the address."""
        return str(self.request.query.get(name, ""))

    def number(self, name: str) -> int:
        """Of the address; 0 when it is missing. Raises Sorry for anything but digits."""
        return as_number(self.query(name) or "0")

    def field(self, name: str) -> str:
        """Of the form; "" when it is missing."""
        return self.form.get(name, [""])[0]

    def fields(self, name: str) -> list[str]:
        return self.form.get(name, [])


def as_number(text: str) -> int:
    """A number of people or of rows. Raises Sorry."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        not_found()
    return int(text)


def not_found() -> NoReturn:
    """Raises Sorry."""
    raise Sorry(404, Text("Das gibt es hier nicht (mehr).", "There is no such thing here (any more)."))


def go(path: str) -> web.Response:
    """After something was done: a page that can be loaded again without doing it again."""
    return web.Response(status=303, headers={"Location": path})

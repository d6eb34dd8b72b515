"""Turns values into HTML: one template per page, everything escaped, moments that the browser puts into its own zone.

Used by the views. It decides nothing and reads no store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from daemon.page import words
from daemon.page.language import Language, Text
from daemon.page.marks import marked
from daemon.page.reasons import plain
from daemon.page.visit import Sorry, Visit

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


@cache
def templates() -> Environment:
    """Compiled once per process, all of them: the first visitor should not wait for it."""
    made = Environment(
        loader=PackageLoader("daemon.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(words=words, marked=marked, version=version("kommsync"))
    for name in made.list_templates():
        made.get_template(name)
    return made


class Renderer:
    """``now``: Unix seconds. ``record_link``: EspoCRM id → address of the record for people."""

    def __init__(self, now: Callable[[], float], record_link: Callable[[str], str]) -> None:
        self._now = now
        self._record_link = record_link
        self._templates = templates()

    def page(self, visit: Visit, template: str, *, status: int = 200, **values: object) -> web.Response:
        """``template`` without its suffix."""
        language = visit.language
        html = self._templates.get_template(f"{template}.html").render(
            visit=visit,
            lang=language.value,
            t=visit.say,
            say=lambda text: text.in_(language),
            plain=lambda reason: plain(reason).in_(language),
            moment=lambda at: moment(at, language),
            age=lambda at: age(self._now() - at, language),
            now=self._now(),
            record_link=self._record_link,
            **values,
        )
        return web.Response(status=status, text=html, content_type="text/html")

    def apology(self, visit: Visit, sorry: Sorry) -> web.Response:
        return self.page(visit, "sorry", status=sorry.status, why=sorry.why)


def moment(at: float, language: Language) -> Markup:
    """A ``<time>`` in UTC; ``page.js`` shows it in the reader's own zone."""
    when = datetime.fromtimestamp(at, UTC)
    shown = when.strftime("%d.%m.%Y %H:%M:%S UTC" if language is Language.DE else "%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(when.strftime("%Y-%m-%dT%H:%M:%SZ"), shown)


def age(seconds: float, language: Language) -> str:
    """In the largest unit that is at least 1."""
    for size, de, en in ((_DAY, "Tag", "day"), (_HOUR, "Std.", "h"), (_MINUTE, "Min.", "min")):
        if seconds >= size:
            number = int(seconds // size)
            plural = ("en" if de == "Tag" else "", "s" if en == "day" else "") if number > 1 else ("", "")
            return f"{number} {Text(de + plural[0], en + plural[1]).in_(language)}"
    return f"{max(int(seconds), 0)} {Text('Sek.', 's').in_(language)}"

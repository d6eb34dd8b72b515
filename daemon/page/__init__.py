"""The page for people: see, explain, decide, undo; server-rendered, in German and English.

:class:`daemon.page.routes.Page` gives the routes to the web face. What is shown comes from the store alone and never
waits for a side; what would be written is asked of the running daemon when somebody wants to decide. It holds no rule
of the sync. Personal data is shown, never cached, never logged, and never part of an address.
"""

from daemon.page.routes import Page

__all__ = ["Page"]

"""What the commands do; values in, values out.

Called by :mod:`daemon.cli` and by the page for people. Everything works beside a running daemon (a second connection to
the same SQLite file; the daemon notices through the store) and without one. Nothing here prints, and no contact data
gets into an exception's text.
"""

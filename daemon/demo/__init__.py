"""``kommsync demo`` and ``kommsync simulators``: an invented firm on loopback, and the real daemon at work for it.

Called by :mod:`daemon.cli`. The daemon's parts are the real ones, over real HTTP and a real store; only the two
systems and their people are invented, and the settings are quicker than any office would want them.
"""

"""Pure decisions about phones, faxes and mails: no I/O, no clock, no randomness, no logging, no `async`.

Everything here is a function of its arguments, so that every decision can be tried in a test and explained to an
administrator. The package `daemon` calls it and does what it decides; nothing here knows `daemon`.
"""

"""Passwords of the page, kept as scrypt hashes: ``scrypt$N$r$p$salt$key``, salt and key in URL-safe Base64.

``python -m daemon.page.password`` asks for one and prints what belongs into [web] ``password_hash``. Checking one takes
some 50 ms and 16 MB on purpose, so it is done on a worker thread.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import secrets
import sys

_N, _R, _P = 2**14, 8, 1
_MEMORY = 2**26
_LEAST = 10


def hashed(password: str, salt: bytes | None = None) -> str:
    """With a fresh salt unless one is given."""
    salt = secrets.token_bytes(16) if salt is None else salt
    key = _derive(password, salt, _N, _R, _P)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(key)])


def fits(password: str, stored: str) -> bool:
    """Whether the hash was made of this password. Blocks for some 50 ms. False for a hash that is none."""
    try:
        _, n, r, p, salt, key = stored.split("$")
        derived = _derive(password, _bytes(salt), int(n), int(r), int(p))
        return hmac.compare_digest(derived, _bytes(key))
    except ValueError:
        return False


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)


def main() -> int:
    """Asks twice on a terminal, reads one line from a pipe."""
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if sys.stdin.isatty() and getpass.getpass("Again: ") != password:
        sys.stderr.write("They are not the same.\n")
        return 1
    if len(password) < _LEAST:
        sys.stderr.write(f"At least {_LEAST} characters, please.\n")
        return 1
    sys.stdout.write(f"{hashed(password)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

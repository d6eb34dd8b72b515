#!/usr/bin/env python3
"""Makes in an EspoCRM what kommsync needs: the entity, its fields, a role and an API user. Standard library only.

    setup_espocrm.py --url https://crm.example.com --admin NAME [--apply] [--key-file FILE]

Run by an administrator, as often as he likes: it looks first, says what is missing, and changes something only with
--apply. What is there is never removed or made smaller; a field of another type is left alone and reported. EspoCRM
answers 200 to things it did not do, so everything is read again afterwards.

Exit codes: 0 fine · 1 failed · 2 usage · 3 a human is needed. The password is asked for, or read from
$ESPOCRM_ADMIN_PASSWORD; the new user's key is written to --key-file (mode 0600) and never shown.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

STATUSES = [
    "pending_sync",
    "dirty",
    "syncing",
    "clean",
    "failed",
    "conflict",
    "permanently_failed",
    "deleted_in_advoware",
]
FIELDS: list[Json] = [
    {"name": "betnr", "type": "int", "label": "betNr", "disableFormatting": True},
    {
        "name": "syncStatus",
        "type": "enum",
        "label": "Sync-Status",
        "options": STATUSES,
        "default": "pending_sync",
    },
    {"name": "advowareLastSync", "type": "datetime", "label": "Letzter Abgleich"},
    {"name": "kommunikationHash", "type": "varchar", "label": "Kommunikation-Hash", "maxLength": 16},
    {"name": "syncErrorMessage", "type": "text", "label": "Sync-Fehler"},
    {"name": "syncRetryCount", "type": "int", "label": "Sync-Versuche"},
    {"name": "syncNextRetry", "type": "datetime", "label": "Nächster Versuch"},
    {"name": "syncAutoResetAt", "type": "datetime", "label": "Neuanfang"},
]
PHONE_TYPES = ("Office", "Fax", "Mobile", "Home", "Other")
RANK = ("no", "own", "team", "yes", "all")


class Stopped(Exception):
    """Nothing more can be done; the text says why and what to do. ``code`` is the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Api:
    """EspoCRM's API with an administrator's login."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v1"
        self._login = base64.b64encode(f"{user}:{password}".encode()).decode()

    def get(self, path: str, **parameters: str) -> Any:
        """The decoded answer; None for an empty body, as Metadata answers for what is not there."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return self._call("GET", path + query, None)

    def send(self, method: str, path: str, body: Json) -> Any:
        return self._call(method, path, json.dumps(body).encode())

    def find(self, entity: str, attribute: str, value: str) -> Json | None:
        found = self.get(
            f"/{entity}",
            **{
                "where[0][type]": "equals",
                "where[0][attribute]": attribute,
                "where[0][value]": value,
                "maxSize": "2",
            },
        )["list"]
        return found[0] if found else None

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Basic {self._login}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._base + path, body, headers, method=method)  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Stopped(_refused(method, path, error)) from None
        except OSError as error:
            raise Stopped(f"EspoCRM cannot be reached: {error}. Check --url.") from None
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise Stopped(
                f"{method} {path}: the answer is not JSON. Is --url the base of an EspoCRM?"
            ) from None


def _refused(method: str, path: str, error: urllib.error.HTTPError) -> str:
    reason = error.headers.get("X-Status-Reason") or "no reason given"
    if error.code == 401:
        return "EspoCRM refuses the login. Check --admin and the password (ten wrong ones lock this address out)."
    return f"{method} {path.partition('?')[0]}: {error.code} {reason}"


@dataclass(frozen=True)
class Change:
    """Something to be done. ``check`` looks afterwards whether it really was."""

    what: str
    do: Callable[[], object]
    check: Callable[[], bool]


class Setup:
    """Compares what is there with what is needed, one part after the other: later parts build on earlier ones."""

    def __init__(self, api: Api, options: argparse.Namespace) -> None:
        self._api = api
        self._options = options
        self._entity: str = options.entity
        self.problems: list[str] = []

    def parts(self) -> list[Callable[[], Iterator[Change]]]:
        return [self._entity_itself, self._fields, self._concurrency, self._role, self._user]

    # -- entity and fields -----------------------------------------------------------------------------------

    def _scope(self) -> Json | None:
        scope: Json | None = self._api.get("/Metadata", key=f"scopes.{self._entity}")
        return scope

    def _defined(self) -> Json:
        return self._api.get("/Metadata", key=f"entityDefs.{self._entity}.fields") or {}

    def _entity_itself(self) -> Iterator[Change]:
        scope = self._scope()
        if scope is not None and scope.get("type") != "Person":
            raise Stopped(
                f"{self._entity} exists but is no entity of type Person. Choose another one: --entity", 3
            )
        if scope is None:
            body = {
                "name": self._entity.removeprefix("C"),
                "type": "Person",
                "labelSingular": "Beteiligter",
                "labelPlural": "Beteiligte",
            }
            yield Change(
                f"create the entity {self._entity}",
                lambda: self._api.send("POST", "/EntityManager/action/createEntity", body),
                lambda: self._scope() is not None,
            )

    def _fields(self) -> Iterator[Change]:
        defined = self._defined()
        for wanted in FIELDS:
            yield from self._field(wanted, defined.get(wanted["name"]))
        types = defined.get("phoneNumber", {}).get("typeList", PHONE_TYPES)
        if missing := [kind for kind in PHONE_TYPES if kind not in types]:
            self.problems.append(
                f"phoneNumber lacks the types {', '.join(missing)}: add them in Administration > Entity Manager > "
                f"{self._entity} > Fields, or numbers of these types become Other"
            )

    def _field(self, wanted: Json, there: Json | None) -> Iterator[Change]:
        name, path = wanted["name"], f"/Admin/fieldManager/{self._entity}"
        if there is None:
            yield Change(
                f"create the field {name} ({wanted['type']})",
                lambda: self._api.send("POST", path, wanted),
                lambda: self._fits(wanted),
            )
        elif there.get("type") != wanted["type"]:
            self.problems.append(
                f"{name} is a field of type {there.get('type')}, needed is {wanted['type']}: rename or remove it"
            )
        elif more := _missing_in(there, wanted):
            yield Change(
                f"extend the field {name}: {', '.join(more)}",
                lambda: self._api.send("PUT", f"{path}/{name}", {**there, **more}),
                lambda: self._fits(wanted),
            )

    def _fits(self, wanted: Json) -> bool:
        there = self._defined().get(wanted["name"])
        return there is not None and there.get("type") == wanted["type"] and not _missing_in(there, wanted)

    def _concurrency(self) -> Iterator[Change]:
        if self._options.keep_concurrency or self._checks_versions():
            return
        body = {"name": self._entity, "optimisticConcurrencyControl": True}
        yield Change(
            "switch on optimistic concurrency control (people who save an outdated form are asked first)",
            lambda: self._api.send("POST", "/EntityManager/action/updateEntity", body),
            self._checks_versions,
        )

    def _checks_versions(self) -> bool:
        return (
            self._api.get("/Metadata", key=f"entityDefs.{self._entity}.optimisticConcurrencyControl") is True
        )

    # -- role and user ---------------------------------------------------------------------------------------

    def _rights(self) -> Json:
        return {
            self._entity: {"create": "no", "read": "all", "edit": "all", "delete": "no"},
            "Task": {"create": "yes", "read": "all", "edit": "all", "delete": "no"},
            "User": {"read": "all", "edit": "no"},
        }

    def _role(self) -> Iterator[Change]:
        name, role = self._options.role, self._role_there()
        if role is None:
            body = {"name": name, "assignmentPermission": "all", "data": self._rights()}
            yield Change(
                f"create the role {name}", lambda: self._api.send("POST", "/Role", body), self._role_suffices
            )
        elif not self._suffices(role):
            missing, has = self._missing_rights(role), role.get("data") or {}
            raised = {scope: {**(has.get(scope) or {}), **actions} for scope, actions in missing.items()}
            body = {"assignmentPermission": "all", "data": {**has, **raised}}
            yield Change(
                f"give the role {name} the rights that it lacks: {', '.join(missing) or 'assignment of tasks'}",
                lambda: self._api.send("PUT", f"/Role/{role['id']}", body),
                self._role_suffices,
            )

    def _role_there(self) -> Json | None:
        """With its rights, which a list need not show."""
        role = self._api.find("Role", "name", self._options.role)
        return role if role is None or "data" in role else self._api.get(f"/Role/{role['id']}")

    def _missing_rights(self, role: Json) -> Json:
        """scope → action → level, where the role allows less."""
        has = role.get("data") or {}
        missing = {
            scope: {a: level for a, level in actions.items() if _weaker((has.get(scope) or {}).get(a), level)}
            for scope, actions in self._rights().items()
        }
        return {scope: actions for scope, actions in missing.items() if actions}

    def _suffices(self, role: Json) -> bool:
        return role.get("assignmentPermission") == "all" and not self._missing_rights(role)

    def _role_suffices(self) -> bool:
        role = self._role_there()
        return role is not None and self._suffices(role)

    def _user(self) -> Iterator[Change]:
        user = self._api.find("User", "userName", self._options.user)
        role = self._api.find("Role", "name", self._options.role)
        roles = [role["id"]] if role else []
        if user is None:
            yield Change(
                f"create the API user {self._options.user}",
                lambda: self._create_user(roles),
                self._user_suffices,
            )
            return
        whole = self._api.get(f"/User/{user['id']}")
        if whole.get("type") != "api":
            self.problems.append(
                f"{self._options.user} exists but is no API user: choose another name with --user"
            )
        elif not whole.get("isActive") or not set(roles) <= set(whole.get("rolesIds") or []):
            body = {"isActive": True, "rolesIds": sorted({*(whole.get("rolesIds") or []), *roles})}
            yield Change(
                f"activate the API user {self._options.user} and give it the role",
                lambda: self._api.send("PUT", f"/User/{user['id']}", body),
                self._user_suffices,
            )

    def _create_user(self, roles: list[str]) -> None:
        body = {
            "type": "api",
            "userName": self._options.user,
            "authMethod": "ApiKey",
            "rolesIds": roles,
            "isActive": True,
        }
        path: Path = self._options.key_file
        with _new_secret_file(path) as file:  # before the user: a key that cannot be kept is lost
            try:
                file.write(self._api.send("POST", "/User", body)["apiKey"] + "\n")
            except BaseException:
                path.unlink()
                raise

    def _user_suffices(self) -> bool:
        user = self._api.find("User", "userName", self._options.user)
        return user is not None and bool(self._api.get(f"/User/{user['id']}").get("isActive"))


def _missing_in(there: Json, wanted: Json) -> Json:
    """What must be added to a field of the right type: options and length, nothing a firm may have chosen otherwise."""
    more: Json = {}
    if lacking := [
        option for option in wanted.get("options", []) if option not in (there.get("options") or [])
    ]:
        more["options"] = [*(there.get("options") or []), *lacking]
    length = there.get("maxLength")
    if "maxLength" in wanted and length is not None and length < wanted["maxLength"]:
        more["maxLength"] = wanted["maxLength"]
    return more


def _weaker(has: str | None, level: str) -> bool:
    return RANK.index(has if has in RANK else "no") < RANK.index(level)


def _new_secret_file(path: Path) -> Any:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise Stopped(f"--key-file {path}: {error.strerror}. The user was not created.") from None


def carry_out(setup: Setup, apply: bool, say: Callable[[str], None]) -> int:
    """Goes through the parts; how many changes were made, or would be. Raises Stopped if one had no effect."""
    count = 0
    for part in setup.parts():
        for change in part():
            count += 1
            say(f"{'doing' if apply else 'would'}: {change.what}")
            if apply:
                change.do()
                if not change.check():
                    raise Stopped(f"EspoCRM answered 200 but did not {change.what}. Look at its log.", 3)
    return count


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="base of the EspoCRM, without /api/v1")
    parser.add_argument("--admin", required=True, help="an administrator's user name")
    parser.add_argument("--apply", action="store_true", help="change something; without it only tell")
    parser.add_argument("--entity", default="CBeteiligte")
    parser.add_argument("--role", default="kommsync")
    parser.add_argument("--user", default="kommsync")
    parser.add_argument(
        "--key-file", type=Path, default=Path("espocrm_api_key"), help="gets the new user's key"
    )
    parser.add_argument(
        "--keep-concurrency", action="store_true", help="leave optimistic concurrency control as it is"
    )
    parser.add_argument("--allow-http", action="store_true", help="send the password without encryption")
    return parser.parse_args()


def _check_url(url: str, allow_http: bool) -> None:
    parts = urllib.parse.urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Stopped("--url must be an http:// or https:// URL", 2)
    if parts.scheme == "http" and not local and not allow_http:
        raise Stopped(
            "--url is not https: the password would be readable on the way. If you mean it: --allow-http", 2
        )


def main() -> int:
    options = _arguments()
    try:
        _check_url(options.url, options.allow_http)
        password = os.environ.get("ESPOCRM_ADMIN_PASSWORD") or getpass.getpass(
            f"Password of {options.admin}: "
        )
        api = Api(options.url, options.admin, password)
        if api.get("/App/user")["user"].get("type") not in {"admin", "super-admin"}:
            raise Stopped(f"{options.admin} is no administrator. Take one who is: --admin", 2)
        setup = Setup(api, options)
        count = carry_out(setup, options.apply, print)
    except Stopped as stop:
        sys.stderr.write(f"setup_espocrm: {stop}\n")
        return stop.code
    for problem in setup.problems:
        sys.stderr.write(f"setup_espocrm: {problem}\n")
    done = (
        f"{count} changes made"
        if options.apply
        else f"{count} changes would be made; carry them out with --apply"
    )
    sys.stdout.write(f"{done if count else 'Nothing to do: everything is there.'}\n")
    return 3 if setup.problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Finds and reads the settings: defaults, TOML file, systemd credentials, environment; later wins.

Called by :mod:`daemon.cli` at start and on SIGHUP. All problems are reported at once. It opens no connection.
Imports take 0.3 s, so this is imported inside commands.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, NestedSecretsSettingsSource

from daemon.settings import NEEDS_RESTART, SECRETS, SECTIONS, Settings, sign_in_problem

__all__ = ["NEEDS_RESTART", "SEARCHED", "ConfigError", "Problem", "Settings", "find", "load"]

SEARCHED = (Path("kommsync.toml"), Path("/etc/kommsync/kommsync.toml"))
_PREFIX = "KOMMSYNC_"
_FILE_VARIABLE = "KOMMSYNC_CONFIG"
#: Variables of the test suite share the prefix.
_NOT_SETTINGS = re.compile(r"KOMMSYNC_(CONFIG|TEST_.*)", re.IGNORECASE)

#: section → key → raw value, as one source gives it.
Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """``key`` as ``section.key`` or a file or variable; ``value`` is already masked, "" if none can be shown."""

    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}{f' = {self.value}' if self.value else ''}: {self.allowed}"


class ConfigError(Exception):
    """Everything that is wrong with the settings, one line each; no secret is in it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n  ".join([f"configuration: {count}", *map(str, problems)]))


def find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one named by the caller or $KOMMSYNC_CONFIG, else the first that exists, else none."""
    if path is not None:
        return path
    if named := environ.get(_FILE_VARIABLE):
        return Path(named)
    return next((candidate for candidate in SEARCHED if candidate.is_file()), None)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings from file, credentials and ``environ``. Raises ConfigError with all problems."""
    problems: list[Problem] = []
    file = find(path, environ)
    sources = [
        _without_files(source, problems)
        for source in (
            _from_file(file, problems) if file else {},
            _from_credentials(environ, problems),
            _from_environment(environ, problems),
        )
    ]
    if any(problem.key == str(file) for problem in problems):
        raise ConfigError(problems)  # what else is missing cannot be known
    merged = _merged(sources, problems)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise ConfigError([*problems, *_explained(error, merged)]) from None
    if problems:
        raise ConfigError(problems)
    return settings


def _merged(sources: list[Raw], problems: list[Problem]) -> Raw:
    merged: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for source in sources:
        for name, section in source.items():
            if name not in SECTIONS:
                problems.append(Problem(name, "", "is no section" + _did_you_mean(name, SECTIONS)))
            elif not isinstance(section, dict):
                problems.append(Problem(name, "", f"must be a section: [{name}]"))
            else:
                merged[name].update(section)
    return merged


def _from_file(file: Path, problems: list[Problem]) -> Raw:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem(str(file), "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(str(file), "", "must be UTF-8"))
    except tomllib.TOMLDecodeError as error:
        # The parser quotes at most one character; the position is what helps.
        problems.append(Problem(str(file), "", f"is not TOML: {error}"))
    return {}


class _Environment(EnvSettingsSource):
    """Reads ``environ`` instead of the process's, and leaves bad JSON for the model to name with all the rest."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> Raw:
    ours: dict[str, str] = {}
    for name, value in environ.items():
        if not name.upper().startswith(_PREFIX) or _NOT_SETTINGS.fullmatch(name):
            continue
        section, _, key = name[len(_PREFIX) :].lower().partition("__")
        if section in SECTIONS and key:
            ours[name] = value
        else:
            problems.append(Problem(name, "", f"is no setting: {_PREFIX}<SECTION>__<KEY> is expected"))
    return _Environment(ours)()


def _from_credentials(environ: Mapping[str, str], problems: list[Problem]) -> Raw:
    """Files named ``<section>_<key>``; the directory may hold other credentials, which are left alone."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return {}
    try:
        found = NestedSecretsSettingsSource(
            Settings,  # type: ignore[arg-type]  # documented: a class or a source
            secrets_dir=directory,
            secrets_dir_missing="error",
            secrets_prefix="",
            secrets_nested_delimiter="_",
        )()
    except (OSError, ValueError) as error:
        problems.append(Problem("CREDENTIALS_DIRECTORY", "", f"cannot be read: {type(error).__name__}"))
        return {}
    return {
        name: {key: value for key, value in section.items() if f"{name}.{key}" in SECRETS}
        for name, section in found.items()
        if isinstance(section, dict)
    }


def _without_files(source: Raw, problems: list[Problem]) -> Raw:
    """Replaces ``<key>_file`` by ``<key>`` within one source, so that a later source overrides either."""
    return {
        name: dict(_read_files(name, section, problems)) if isinstance(section, dict) else section
        for name, section in source.items()
    }


def _read_files(name: str, section: Raw, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        secret = key.removesuffix("_file")
        if secret == key or f"{name}.{secret}" not in SECRETS:
            yield key, value
        elif secret in section:
            problems.append(Problem(f"{name}.{key}", "", f"give {secret} or {key}, not both"))
        else:
            try:
                yield secret, Path(value).read_text(encoding="utf-8").strip()
            except (OSError, TypeError, ValueError) as error:
                why = getattr(error, "strerror", None) or "must name a text file"
                problems.append(Problem(f"{name}.{key}", repr(value), why))
                yield secret, SecretStr("unreadable")  # named once, not a second time as missing


def _explained(error: ValidationError, merged: Raw) -> Iterator[Problem]:
    found_all = error.errors(include_url=False)
    sign_in = sign_in_problem(merged["espocrm"])
    if sign_in and all(found["loc"] != ("espocrm",) for found in found_all):
        yield Problem("espocrm", "", sign_in)
    for found in found_all:
        place = [str(part) for part in found["loc"]]
        key = ".".join(place[:2])
        yield Problem(
            key, _shown(key, found["type"], found["input"]), _allowed(place, found["type"], found["msg"])
        )


def _shown(key: str, kind: str, value: object) -> str:
    """Unknown keys may be misspelt secrets and a section holds some: neither is ever shown."""
    if kind in {"missing", "extra_forbidden"} or isinstance(value, dict):
        return ""
    if key in SECRETS:
        return "***"
    return re.sub(r"//[^/]*@", "//***@", repr(value))[:100]


def _allowed(place: list[str], kind: str, message: str) -> str:
    if kind == "missing":
        return "is needed and not set"
    if kind == "extra_forbidden":
        return "is no key" + _did_you_mean(place[-1], SECTIONS[place[0]].model_fields)
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind == "tuple_type":
        return "must be a list; in the environment as JSON, like [60,300]"
    text = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return text.replace("String should match pattern", "must match")


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"

"""The model of the settings: every section, key, default and what is allowed.

Filled by :mod:`daemon.config`, read by whoever gets a section handed in. It does not know where a value came from.
Times are seconds, a rate of 0 means no limit. Everything is frozen: a reload makes a new ``Settings``.
"""

from __future__ import annotations

import base64
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import phonenumbers
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or a password: they have keys of their own")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    return text.rstrip("/")


def _instance(text: str) -> str:
    if "/api/v1" in text:
        raise ValueError("must be the base of the instance: /api/v1 is appended")
    return text


def _region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be a country as libphonenumber writes it: two capital letters, DE or GB")
    return text


def _time_zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "must be a time zone of this system, such as Europe/Berlin (package tzdata)"
        ) from None
    return text


def _base64_key(secret: SecretStr) -> SecretStr:
    try:
        base64.b64decode(secret.get_secret_value(), validate=True)
    except ValueError:
        raise ValueError("must be Base64, as the vendor hands it out") from None
    return secret


def _long_enough(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and len(secret.get_secret_value()) < _LEAST_TOKEN:
        raise ValueError(f"must be at least {_LEAST_TOKEN} characters, such as openssl rand -hex 20 makes")
    return secret


def _password_hash(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and not _HASH.fullmatch(secret.get_secret_value()):
        raise ValueError("must be what 'python -m daemon.page.password' prints")
    return secret


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:]+\]", name):
        raise ValueError("must be a host name or an address, without scheme and port")
    return name


def _path_prefix(text: str) -> str:
    prefix = text.strip("/")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", prefix, re.ASCII):
        raise ValueError("must be a path such as api/v1/advonet")
    return prefix


def _blank_is_none(value: object) -> object:
    """An optional key of the file can be taken back by an empty variable of the environment."""
    return None if value == "" else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # pydantic collects ValueError only
    return value


_LEAST_TOKEN = 20
#: scrypt$N$r$p$salt$key, both in URL-safe Base64
_HASH = re.compile(r"scrypt(\$[0-9]+){3}(\$[A-Za-z0-9_-]{16,}={0,2}){2}")

Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[Url | None, BeforeValidator(_blank_is_none)]
Secret = Annotated[SecretStr, Field(min_length=1)]
OptionalSecret = Annotated[Secret | None, BeforeValidator(_blank_is_none)]
#: Longer than ten years is a slip of the unit, and no timer can wait for ever.
Seconds = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, le=315_360_000, allow_inf_nan=False)]
SecondsOrNone = Annotated[
    float, BeforeValidator(_no_boolean), Field(ge=0, le=315_360_000, allow_inf_nan=False)
]
Rate = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, allow_inf_nan=False)]
Number = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
NumberOrNone = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class Espocrm(Section):
    """``url``: base of the instance. Either ``api_key`` or the pair ``hmac_api_key``, ``hmac_secret_key``."""

    url: Annotated[Url, AfterValidator(_instance)]
    api_key: OptionalSecret = None
    hmac_api_key: OptionalSecret = None
    hmac_secret_key: OptionalSecret = None
    entity: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$")] = "CBeteiligte"
    poll_interval_seconds: Seconds = 15
    poll_overlap_seconds: SecondsOrNone = 10
    full_scan_interval_seconds: Seconds = 3600
    timeout_seconds: Seconds = 30
    max_connections: Number = 4
    max_requests_per_second: Rate = 0
    write_status_fields: bool = True
    notices: Literal["task", "none"] = "task"
    notice_user_id: Annotated[
        Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,36}$")] | None, BeforeValidator(_blank_is_none)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _no_notices_without_a_user(cls, data: Any) -> Any:
        if (
            isinstance(data, dict)
            and not data.get("notice_user_id")
            and data.get("notices", "task") == "task"
        ):
            return {**data, "notices": "none"}
        return data

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        if problem := sign_in_problem(dict(self)):
            raise ValueError(problem)
        return self


def sign_in_problem(espocrm: Mapping[str, object]) -> str | None:
    """What is wrong with the keys of ``[espocrm]`` taken together. The model asks only once each of them is right;
    :mod:`daemon.config` asks for the others, so that all problems are named at once."""
    pair = (espocrm.get("hmac_api_key"), espocrm.get("hmac_secret_key"))
    if not espocrm.get("api_key") and not all(pair):
        return "needs api_key, or hmac_api_key and hmac_secret_key"
    if espocrm.get("api_key") and any(pair):
        return "needs either api_key or the pair hmac_api_key, hmac_secret_key, not both"
    return None


class Advoware(Section):
    """``base_url`` and ``security_gateway_url`` replace what discovery would find."""

    kanzlei: Text
    database: Text
    user: Text
    password: Secret
    app_id: Text
    api_key: Annotated[Secret, AfterValidator(_base64_key)]
    role: NumberOrNone = 2
    product: NumberOrNone = 64
    discovery_url: Url = "https://www2.advo-net.net/AdvonetConfigurator/api/Url"
    base_url: OptionalUrl = None
    security_gateway_url: OptionalUrl = None
    api_prefix: Annotated[str, AfterValidator(_path_prefix)] = "api/v1/advonet"
    sweep_interval_seconds: Seconds = 900
    timeout_seconds: Seconds = 30
    max_connections: Number = 8
    max_requests_per_second: Rate = 20
    bemerkung_max_length: NumberOrNone = 0
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "Europe/Berlin"


class Sync(Section):
    """The rules of a sync that a firm may choose."""

    direction: Literal["both", "to_espocrm", "to_advoware"] = "both"
    extras: Literal["keep", "remove"] = "keep"
    conflict_policy: Literal["espocrm", "advoware", "manual"] = "espocrm"
    type_change: Literal["recreate", "ask"] = "recreate"
    deletion: Literal["slot", "delete"] = "slot"
    deletion_confirm_seconds: SecondsOrNone = 60
    empty_side: Literal["hold", "confirm"] = "hold"
    default_region: Annotated[str, AfterValidator(_region)] = "DE"
    phone_format: Literal["as_is", "international", "national"] = "as_is"
    workers: Number = 8
    settle_seconds: SecondsOrNone = 3
    max_read_age_seconds: SecondsOrNone = 5
    retry_schedule_seconds: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (60, 300, 900, 3600, 14400)
    auto_reset_seconds: Seconds = 86400
    loop_limit: Number = 5
    loop_window_seconds: Seconds = 3600
    stale_form_seconds: SecondsOrNone = 1800
    late_effect_seconds: SecondsOrNone = 3600


class Guard(Section):
    """The mass-deletion fuse; ``max_deletion_share`` of all links, 0 to 1."""

    max_deletions: NumberOrNone = 50
    max_deletion_share: Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1)] = 0.02
    window_seconds: Seconds = 3600


class Store(Section):
    path: Path = Path("/var/lib/kommsync/kommsync.sqlite3")
    history_days: Number = 365


class Audit(Section):
    """The nightly audit. ``at``: HH:MM in [time_zone], empty for none. ``sample``: so many by chance, 0: everybody."""

    at: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")] = ""
    sample: NumberOrNone = 0


class Web(Section):
    """``port`` 0: any free one, printed. ``token`` or ``password_hash``: what the page for people asks for.
    ``allowed_hosts``: further names under which a reverse proxy offers the page, without a port."""

    host: Text = "127.0.0.1"
    port: Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=65535)] = 9469
    token: Annotated[OptionalSecret, AfterValidator(_long_enough)] = None
    password_hash: Annotated[OptionalSecret, AfterValidator(_password_hash)] = None
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()


class Log(Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(BaseSettings):
    """Everything that can be set. Made from values alone; the sources are :mod:`daemon.config`'s business."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix="KOMMSYNC_",
        env_nested_delimiter="__",
        env_nested_max_split=1,
    )

    espocrm: Espocrm
    advoware: Advoware
    sync: Sync = Sync()
    guard: Guard = Guard()
    store: Store = Store()
    audit: Audit = Audit()
    web: Web = Web()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def _entries(self) -> Iterator[tuple[str, object]]:
        for name in type(self).model_fields:
            for key, value in getattr(self, name):
                yield f"{name}.{key}", value

    def describe(self) -> dict[str, object]:
        """``section.key`` → value as JSON can hold it; a secret is ``"set"`` or ``"not set"``."""
        described: dict[str, object] = {}
        for name, value in self._entries():
            if name in SECRETS:
                described[name] = "set" if value else "not set"
            elif isinstance(value, tuple | Path):
                described[name] = str(value) if isinstance(value, Path) else list(value)
            else:
                described[name] = value
        return described

    def secrets(self) -> tuple[str, ...]:
        """The secrets themselves, for the logs' redaction only."""
        return tuple(value.get_secret_value() for _, value in self._entries() if isinstance(value, SecretStr))


SECTIONS: dict[str, type[Section]] = {
    "espocrm": Espocrm,
    "advoware": Advoware,
    "sync": Sync,
    "guard": Guard,
    "store": Store,
    "audit": Audit,
    "web": Web,
    "log": Log,
}
#: ``section.key`` of each secret: masked everywhere, may be given as ``<key>_file`` or as a systemd credential.
SECRETS = frozenset(
    {
        "espocrm.api_key",
        "espocrm.hmac_api_key",
        "espocrm.hmac_secret_key",
        "advoware.password",
        "advoware.api_key",
        "web.token",
        "web.password_hash",
    }
)
#: SIGHUP cannot change these: they are bound for as long as the process lives.
NEEDS_RESTART = frozenset({"store.path", *(f"web.{key}" for key in Web.model_fields)})

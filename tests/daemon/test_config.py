"""Settings: where they come from, what wins, and that every problem is named at once without its secret."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import NEEDS_RESTART, ConfigError, Settings, load
from daemon.settings import SECRETS, SECTIONS

KEY = "dGVzdC1zZWNyZXQta2V5"
ENOUGH = {
    "KOMMSYNC_ESPOCRM__URL": "https://crm.example",
    "KOMMSYNC_ESPOCRM__API_KEY": "0123456789abcdef",
    "KOMMSYNC_ADVOWARE__KANZLEI": "Müller & Söhne",
    "KOMMSYNC_ADVOWARE__DATABASE": "advo",
    "KOMMSYNC_ADVOWARE__USER": "SYNC",
    "KOMMSYNC_ADVOWARE__PASSWORD": "hunter2-hunter2",
    "KOMMSYNC_ADVOWARE__APP_ID": "app-123",
    "KOMMSYNC_ADVOWARE__API_KEY": KEY,
}
FILE = f"""
[espocrm]
url = "https://crm.example/"
api_key = "0123456789abcdef"
[advoware]
kanzlei = "Kanzlei"
database = "advo"
user = "SYNC"
password = "hunter2-hunter2"
app_id = "app-123"
api_key = "{KEY}"
"""


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search begins in the current directory."""
    monkeypatch.chdir(tmp_path)


def problems(environ: dict[str, str], path: Path | None = None) -> dict[str, str]:
    """Key → the whole line."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return {problem.key: str(problem) for problem in caught.value.problems}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_alone_is_enough() -> None:
    settings = load(None, ENOUGH)
    assert settings.espocrm.url == "https://crm.example"
    assert settings.advoware.kanzlei == "Müller & Söhne"
    assert settings.advoware.password.get_secret_value() == "hunter2-hunter2"


DEFAULTS: dict[str, dict[str, object]] = {
    "espocrm": {
        "entity": "CBeteiligte",
        "poll_interval_seconds": 15,
        "poll_overlap_seconds": 10,
        "full_scan_interval_seconds": 3600,
        "timeout_seconds": 30,
        "max_connections": 4,
        "max_requests_per_second": 0,
        "write_status_fields": True,
        "notices": "none",
        "notice_user_id": None,
    },
    "advoware": {
        "role": 2,
        "product": 64,
        "discovery_url": "https://www2.advo-net.net/AdvonetConfigurator/api/Url",
        "base_url": None,
        "security_gateway_url": None,
        "api_prefix": "api/v1/advonet",
        "sweep_interval_seconds": 900,
        "timeout_seconds": 30,
        "max_connections": 8,
        "max_requests_per_second": 20,
        "bemerkung_max_length": 0,
        "time_zone": "Europe/Berlin",
    },
    "sync": {
        "direction": "both",
        "extras": "keep",
        "conflict_policy": "espocrm",
        "type_change": "recreate",
        "deletion": "slot",
        "deletion_confirm_seconds": 60,
        "empty_side": "hold",
        "default_region": "DE",
        "phone_format": "as_is",
        "workers": 8,
        "settle_seconds": 3,
        "max_read_age_seconds": 5,
        "retry_schedule_seconds": [60, 300, 900, 3600, 14400],
        "auto_reset_seconds": 86400,
        "loop_limit": 5,
        "loop_window_seconds": 3600,
        "stale_form_seconds": 1800,
        "late_effect_seconds": 3600,
    },
    "guard": {"max_deletions": 50, "max_deletion_share": 0.02, "window_seconds": 3600},
    "store": {"path": "/var/lib/kommsync/kommsync.sqlite3", "history_days": 365},
    "audit": {"at": "", "sample": 0},
    "web": {
        "host": "127.0.0.1",
        "port": 9469,
        "allowed_hosts": [],
    },
    "log": {"level": "info", "format": "auto"},
}


def test_the_defaults_are_a_contract() -> None:
    described = load(None, ENOUGH).describe()
    given_or_secret = {name.removeprefix("KOMMSYNC_").replace("__", ".").lower() for name in ENOUGH} | SECRETS
    expected = {f"{name}.{key}": value for name, keys in DEFAULTS.items() for key, value in keys.items()}
    assert {name: value for name, value in described.items() if name not in given_or_secret} == expected


def test_what_is_described_is_json_without_secrets() -> None:
    settings = load(None, ENOUGH)
    text = json.dumps(settings.describe())
    assert settings.describe()["espocrm.api_key"] == "set"
    assert settings.describe()["espocrm.hmac_api_key"] == "not set"
    assert not [secret for secret in settings.secrets() if secret in text or secret in repr(settings)]
    assert set(settings.secrets()) == {"0123456789abcdef", "hunter2-hunter2", KEY}


def test_the_named_secrets_are_the_secret_fields() -> None:
    fields = {
        f"{s}.{k}"
        for s, section in SECTIONS.items()
        for k, f in section.model_fields.items()
        if "Secret" in str(f)
    }
    assert fields == SECRETS
    assert {name: field.annotation for name, field in Settings.model_fields.items()} == SECTIONS
    assert set(load(None, ENOUGH).describe()) >= NEEDS_RESTART


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SYNC__RETRY_SCHEDULE_SECONDS", "[1, 2.5]", (1, 2.5)),
        ("ESPOCRM__WRITE_STATUS_FIELDS", "false", False),
        ("ESPOCRM__MAX_REQUESTS_PER_SECOND", "0", 0),
        ("GUARD__MAX_DELETION_SHARE", "1", 1),
        ("ADVOWARE__API_PREFIX", "/api/v1/", "api/v1"),
        ("ADVOWARE__BASE_URL", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("WEB__PORT", "0", 0),
        ("LOG__LEVEL", "DEBUG", "debug"),
        ("STORE__PATH", "x.sqlite3", Path("x.sqlite3")),
    ],
)
def test_a_variable_sets_its_key(name: str, text: str, value: object) -> None:
    section, key = name.lower().split("__")
    assert getattr(getattr(load(None, {**ENOUGH, f"KOMMSYNC_{name}": text}), section), key) == value


def test_the_environment_wins_over_credentials_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", FILE + '[log]\nlevel = "error"\nformat = "json"\n')
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    write(credentials / "espocrm_api_key", "from-the-credential\n")
    write(credentials / "advoware_password", "from-the-credential")
    write(credentials / "tls_certificate", "not ours")
    environ = {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "KOMMSYNC_ADVOWARE__PASSWORD": "from-the-environment",
        "KOMMSYNC_LOG__LEVEL": "debug",
    }
    settings = load(file, environ)
    assert settings.espocrm.api_key is not None
    assert settings.espocrm.api_key.get_secret_value() == "from-the-credential"
    assert settings.advoware.password.get_secret_value() == "from-the-environment"
    assert (settings.log.level, settings.log.format) == ("debug", "json")


def test_the_file_is_searched_in_the_documented_order(tmp_path: Path) -> None:
    write(tmp_path / "kommsync.toml", FILE + '[log]\nlevel = "debug"\n')
    variable = write(tmp_path / "variable.toml", FILE + '[log]\nlevel = "warning"\n')
    named = write(tmp_path / "named.toml", FILE + '[log]\nlevel = "error"\n')
    environ = {"KOMMSYNC_CONFIG": str(variable)}
    assert load(None, {}).log.level == "debug"
    assert load(None, environ).log.level == "warning"
    assert load(named, environ).log.level == "error"


def test_a_secret_can_be_a_file_and_a_later_source_overrides_it(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "in-a-file\n")
    file = write(
        tmp_path / "a.toml", FILE.replace('password = "hunter2-hunter2"', f'password_file = "{secret}"')
    )
    assert load(file, {}).advoware.password.get_secret_value() == "in-a-file"
    assert (
        load(file, {"KOMMSYNC_ADVOWARE__PASSWORD": "direct"}).advoware.password.get_secret_value() == "direct"
    )
    from_variable = {**ENOUGH, "KOMMSYNC_ESPOCRM__API_KEY_FILE": str(secret)}
    del from_variable["KOMMSYNC_ESPOCRM__API_KEY"]
    assert "in-a-file" in load(None, from_variable).secrets()


def test_a_secret_given_twice_in_one_place_is_refused(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "in-a-file")
    found = problems({**ENOUGH, "KOMMSYNC_ADVOWARE__PASSWORD_FILE": str(secret)})
    assert found["advoware.password_file"].endswith("give password or password_file, not both")


def test_a_secret_file_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    environ = {**ENOUGH, "KOMMSYNC_ADVOWARE__PASSWORD_FILE": str(tmp_path / "gone")}
    del environ["KOMMSYNC_ADVOWARE__PASSWORD"]
    found = problems(environ)
    assert list(found) == ["advoware.password_file"]
    assert "No such file" in found["advoware.password_file"]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml",
        """
        [espocrm]
        url = "crm.example"
        poll_intervall_seconds = 3
        api_key = "topsecret-one"
        [advoware]
        api_key = "topsecret no Base64!"
        passwort = "topsecret-two"
        [sync]
        conflict_policy = "newest"
        retry_schedule_seconds = []
        workers = 0
        [gard]
        max_deletions = 3
        """,
    )
    found = problems(
        {"KOMMSYNC_WEB__PORT": "99999", "KOMMSYNC_WEPORT": "1", "KOMMSYNC_SYNC__RETRY": "60,300"}, file
    )
    assert set(found) == {
        "espocrm.url",
        "espocrm.poll_intervall_seconds",
        "advoware.api_key",
        "advoware.passwort",
        "advoware.kanzlei",
        "advoware.database",
        "advoware.user",
        "advoware.password",
        "advoware.app_id",
        "sync.conflict_policy",
        "sync.retry_schedule_seconds",
        "sync.workers",
        "sync.retry",
        "gard",
        "web.port",
        "KOMMSYNC_WEPORT",
    }
    assert found["espocrm.url"] == "espocrm.url = 'crm.example': must be an http:// or https:// URL"
    assert found["espocrm.poll_intervall_seconds"].endswith("is no key; did you mean poll_interval_seconds?")
    assert found["advoware.api_key"] == "advoware.api_key = ***: must be Base64, as the vendor hands it out"
    assert found["sync.conflict_policy"].endswith("= 'newest': must be 'espocrm', 'advoware' or 'manual'")
    assert found["gard"] == "gard: is no section; did you mean guard?"
    assert found["advoware.user"] == "advoware.user: is needed and not set"
    assert "topsecret" not in "".join(found.values())


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, "needs api_key, or hmac_api_key and hmac_secret_key"),
        ({"KOMMSYNC_ESPOCRM__HMAC_API_KEY": "topsecret"}, "needs api_key"),
        (
            {"KOMMSYNC_ESPOCRM__API_KEY": "topsecret", "KOMMSYNC_ESPOCRM__HMAC_SECRET_KEY": "topsecret"},
            "not both",
        ),
    ],
)
def test_how_to_sign_in_is_reported_with_all_the_rest(given: dict[str, str], allowed: str) -> None:
    found = problems({**given, "KOMMSYNC_ESPOCRM__URL": "crm.example"})
    assert {"espocrm", "espocrm.url", "advoware.user"} <= set(found)
    assert allowed in found["espocrm"]
    assert "topsecret" not in "".join(found.values())


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        (
            "ESPOCRM__URL",
            "https://crm.example/api/v1",
            "must be the base of the instance: /api/v1 is appended",
        ),
        ("ESPOCRM__URL", "https://me:secret@crm.example", "must not contain a user or a password"),
        ("ESPOCRM__URL", "https://crm.example/?a=b", "must not have a query or a fragment"),
        ("ESPOCRM__ENTITY", "../User", "must match"),
        ("ESPOCRM__TIMEOUT_SECONDS", "0", "must be greater than 0"),
        ("ESPOCRM__TIMEOUT_SECONDS", "inf", "must be"),
        ("ESPOCRM__API_KEY", "", "needs api_key, or hmac_api_key and hmac_secret_key"),
        ("ESPOCRM__HMAC_API_KEY", "x", "not both"),
        ("ADVOWARE__KANZLEI", "", "must not be empty"),
        ("ADVOWARE__PASSWORD", "", "must not be empty"),
        ("ADVOWARE__API_PREFIX", "a?b", "must be a path such as"),
        ("ADVOWARE__TIME_ZONE", "Berlin", "must be a time zone of this system"),
        ("ADVOWARE__DISCOVERY_URL", "ftp://x", "must be an http:// or https:// URL"),
        ("SYNC__DEFAULT_REGION", "UK", "must be a country"),
        (
            "SYNC__RETRY_SCHEDULE_SECONDS",
            "60,300",
            "must be a list; in the environment as JSON, like [60,300]",
        ),
        ("SYNC__RETRY_SCHEDULE_SECONDS", "[]", "must not be empty"),
        ("SYNC__RETRY_SCHEDULE_SECONDS", "[60,-1]", "must be greater than 0"),
        ("SYNC__WORKERS", "many", "must be a valid integer"),
        ("GUARD__MAX_DELETION_SHARE", "2", "must be less than or equal to 1"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(name: str, text: str, allowed: str) -> None:
    lines = problems({**ENOUGH, f"KOMMSYNC_{name}": text})
    (line,) = lines.values()
    assert allowed in line
    assert "secret@" not in line


def test_a_boolean_is_no_number(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", FILE + "[sync]\nworkers = true\n")
    assert problems({}, file)["sync.workers"] == "sync.workers = True: must be a number"


def test_a_section_must_be_a_table(tmp_path: Path) -> None:
    assert (
        problems(ENOUGH, write(tmp_path / "a.toml", "sync = 3"))["sync"] == "sync: must be a section: [sync]"
    )
    assert "KOMMSYNC_SYNC" in problems({**ENOUGH, "KOMMSYNC_SYNC": "{}"})


def test_the_hmac_pair_replaces_the_key() -> None:
    environ = {**ENOUGH, "KOMMSYNC_ESPOCRM__HMAC_API_KEY": "k", "KOMMSYNC_ESPOCRM__HMAC_SECRET_KEY": "s"}
    del environ["KOMMSYNC_ESPOCRM__API_KEY"]
    assert load(None, environ).espocrm.api_key is None
    del environ["KOMMSYNC_ESPOCRM__HMAC_SECRET_KEY"]
    assert list(problems(environ)) == ["espocrm"]


def test_notices_need_somebody_to_notice_them() -> None:
    user = {"KOMMSYNC_ESPOCRM__NOTICE_USER_ID": "6b02f5a1c3d4e5f60"}
    assert load(None, ENOUGH | user).espocrm.notices == "task"
    assert load(None, {**ENOUGH, "KOMMSYNC_ESPOCRM__NOTICES": "task"}).espocrm.notices == "none"
    assert load(None, {**ENOUGH, "KOMMSYNC_ESPOCRM__NOTICE_USER_ID": ""}).espocrm.notices == "none"
    assert load(None, ENOUGH | user | {"KOMMSYNC_ESPOCRM__NOTICES": "none"}).espocrm.notices == "none"
    assert "espocrm.notices" in problems({**ENOUGH, "KOMMSYNC_ESPOCRM__NOTICES": "mail"})


def test_a_file_that_cannot_be_read_is_not_followed_by_what_is_missing(tmp_path: Path) -> None:
    assert list(problems({}, tmp_path / "gone.toml")) == [str(tmp_path / "gone.toml")]
    broken = write(tmp_path / "broken.toml", '[espocrm]\nurl = "unfinished')
    assert "is not TOML" in problems({}, broken)[str(broken)]
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "must be UTF-8" in problems({}, binary)[str(binary)]


def test_a_credentials_directory_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    assert "CREDENTIALS_DIRECTORY" in problems({**ENOUGH, "CREDENTIALS_DIRECTORY": str(tmp_path / "gone")})


def test_the_tests_own_variables_are_no_settings() -> None:
    load(None, {**ENOUGH, "KOMMSYNC_TEST_ESPOCRM_URL": "http://127.0.0.1:8080", "KOMMSYNC_CONFIG": ""})


def test_settings_are_frozen_and_equal_when_nothing_changed() -> None:
    settings = load(None, ENOUGH)
    assert settings == load(None, ENOUGH)
    assert settings != load(None, {**ENOUGH, "KOMMSYNC_SYNC__WORKERS": "3"})
    with pytest.raises(ValueError, match="frozen"):
        settings.sync.workers = 3  # type: ignore[misc]


NAMES = sorted(
    f"KOMMSYNC_{s.upper()}__{k.upper()}" for s, section in SECTIONS.items() for k in section.model_fields
)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12), max_size=6))
def test_whatever_is_given_is_taken_or_explained(extra: dict[str, str]) -> None:
    refused = ""
    try:
        load(None, {**ENOUGH, **extra})
    except ConfigError as error:
        refused = str(error)
    assert "hunter2" not in refused
    assert not refused or re.match(r"configuration: \d problems?\n  \w+", refused)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("TOKEN", "too-short", "at least 20 characters"),
        ("PASSWORD_HASH", "a password in clear text", "daemon.page.password"),
        ("ALLOWED_HOSTS", '["https://sync.example"]', "without scheme and port"),
    ],
)
def test_a_login_that_would_protect_nothing_is_refused(key: str, value: str, allowed: str) -> None:
    found = problems({**ENOUGH, f"KOMMSYNC_WEB__{key}": value})
    assert allowed in found[f"web.{key.lower()}"]
    assert "clear text" not in found[f"web.{key.lower()}"]


def test_the_token_of_the_page_may_be_a_file(tmp_path: Path) -> None:
    token = write(tmp_path / "token", "0123456789abcdef0123456789abcdef\n")
    settings = load(None, {**ENOUGH, "KOMMSYNC_WEB__TOKEN_FILE": str(token)})
    assert settings.web.token is not None
    assert settings.web.token.get_secret_value() == "0123456789abcdef0123456789abcdef"

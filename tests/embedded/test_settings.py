"""What the environment says, and what a newcomer is told when it says it wrongly."""

import os
from pathlib import Path

import pytest

from app.settings import PREFIX, Settings, SettingsError, get_settings, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert settings.embedded
    assert not settings.jwt_enabled
    assert not settings.disposable_data
    assert settings.data_dir == Path.cwd() / "var"
    assert settings.admin_key_path == Path.cwd() / "var" / "admin.key"
    assert settings.api_url == "http://127.0.0.1:8000"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(PREFIX + name.upper(), "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    "text",
    ["https://a.example, http://b.example:8080", '["https://a.example", "http://b.example:8080"]'],
)
def test_origins_are_separated_by_commas_or_a_json_list(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("FACTORY_CORS_ORIGINS", text)
    assert load_settings().cors_origins == ("https://a.example", "http://b.example:8080")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_a_database_url_becomes_the_common_one(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("FACTORY_DATABASE_URL", f"{scheme}://u:p@db:5432/factory")
    settings = load_settings()
    assert settings.database_url == "postgresql://u:p@db:5432/factory"
    assert not settings.embedded


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOST": "0.0.0.0", "PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HOST": "::"}, "http://[::1]:8000"),
        ({"HOST": "factory.example"}, "http://factory.example:8000"),
        ({"URL": "https://factory.example/base/"}, "https://factory.example/base"),
    ],
)
def test_the_command_line_finds_the_service(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    assert load_settings().api_url == expected


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "http", "FACTORY_PORT must be a whole number from 0 to 65535, but is 'http'."),
        ("PORT", "70000", "FACTORY_PORT must be a whole number from 0 to 65535, but is '70000'."),
        (
            "POOL_TIMEOUT",
            "0",
            "FACTORY_POOL_TIMEOUT must be a number of seconds above 0 and up to 60, but is '0'.",
        ),
        ("LOG_FORMAT", "xml", "FACTORY_LOG_FORMAT must be console or json, but is 'xml'."),
        (
            "CORS_ORIGINS",
            "https://a.example/page",
            "FACTORY_CORS_ORIGINS must be origins like https://console.example, separated by "
            "commas, or *, but is 'https://a.example/page'.",
        ),
        (
            "CORS_ORIGINS",
            "[not json",
            "FACTORY_CORS_ORIGINS must be origins like https://console.example, separated by "
            "commas, or *, but is '[not json'.",
        ),
        (
            "JWT_JWKS_URL",
            "http://keys.example/jwks",
            "FACTORY_JWT_JWKS_URL must be an https:// URL (http:// only on this machine), "
            "but is 'http://keys.example/jwks'.",
        ),
        (
            "URL",
            "localhost",
            "FACTORY_URL must be a URL like http://127.0.0.1:8000, but is 'localhost'.",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    assert refusal(monkeypatch, **{name: value}) == line


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, PORT="x", LOG_LEVEL="loud", DISPOSABLE_DATA="perhaps")
    assert said.splitlines() == [
        "FACTORY_PORT must be a whole number from 0 to 65535, but is 'x'.",
        "FACTORY_DISPOSABLE_DATA must be true or false, but is 'perhaps'.",
        "FACTORY_LOG_LEVEL must be debug, info, warning or error, but is 'loud'.",
    ]


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATION_DATABASE_URL"])
@pytest.mark.parametrize("url", ["mysql://u:hush@db/x", "hush", "postgresql://u:hush@db:port/x"])
def test_a_bad_database_url_is_refused_without_showing_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    said = refusal(monkeypatch, **{name: url})
    assert said == (
        f"FACTORY_{name} must be a URL like postgresql://user:password@host:5432/database."
    )


def test_secrets_are_not_shown_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_DATABASE_URL", "postgresql://u:hush@db/x")
    monkeypatch.setenv("FACTORY_MIGRATION_DATABASE_URL", "postgresql://o:hush@db/x")
    monkeypatch.setenv("FACTORY_API_KEY", "pf_hush")
    assert "hush" not in repr(load_settings())


def test_jwt_needs_an_issuer_and_an_audience(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    said = refusal(monkeypatch, JWT_JWKS_FILE=str(keys), JWT_ISSUER="https://id.example")
    assert said == (
        "FACTORY_JWT_ISSUER and FACTORY_JWT_AUDIENCE must be set where JWT is used: "
        "without them any token of the identity provider would be let in."
    )
    monkeypatch.setenv("FACTORY_JWT_AUDIENCE", "factory")
    assert load_settings().jwt_enabled
    said = refusal(monkeypatch, JWT_JWKS_URL="https://id.example/jwks")
    assert said == (
        "FACTORY_JWT_JWKS_URL and FACTORY_JWT_JWKS_FILE are both set: keep one of them."
    )


@pytest.mark.parametrize("name", ["JWT_ISSUER", "JWT_AUDIENCE"])
def test_half_of_jwt_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert refusal(monkeypatch, **{name: "https://id.example"}) == (
        "FACTORY_JWT_ISSUER and FACTORY_JWT_AUDIENCE do nothing without keys: set "
        "FACTORY_JWT_JWKS_URL or FACTORY_JWT_JWKS_FILE too."
    )


def test_a_missing_key_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, JWT_JWKS_FILE="/no/such/file")
    assert said == ("FACTORY_JWT_JWKS_FILE must be an existing JSON file, but is '/no/such/file'.")


def test_a_process_reads_its_settings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    try:
        first = get_settings()
        monkeypatch.setenv("FACTORY_PORT", "9001")
        assert get_settings() is first
        assert first.port == 8000
    finally:
        get_settings.cache_clear()

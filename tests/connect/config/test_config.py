"""Settings: explicit, then the environment, then defaults; no secret leaves, and every mistake is named."""

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError
from vllm_connect.config.config import (
    Timeouts,
    VllmConfig,
    api_key_of,
    authorization,
    scrub,
    secrets_of,
    timeouts_of,
)
from vllm_connect.config.environment import environment, read_count, read_number
from vllm_connect.config.headers import header_value
from vllm_connect.config.validation import configuration_error, nearest, refuse_unknown
from vllm_connect.errors import ConfigurationError, VllmError

VARIABLES = ("VLLM_BASE_URL", "VLLM_API_KEY", "VLLM_TIMEOUT", "VLLM_MAX_RETRIES", "VLLM_MODEL", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


# Addresses


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("http://localhost:8000/v1/", "http://localhost:8000"),
        ("http://localhost:8000/v1/chat/completions", "http://localhost:8000"),
        ("http://localhost:8000/v1/chat/completions/", "http://localhost:8000"),
        ("http://localhost:8000/v1/models", "http://localhost:8000"),
        ("https://gate.test/team/vllm/v1", "https://gate.test/team/vllm"),
        ("https://gate.test/v1/vllm", "https://gate.test/v1/vllm"),
        (" http://[::1]:8000/v1 ", "http://[::1]:8000"),
        ("HTTP://GPU-1:8000", "http://GPU-1:8000"),
    ],
)
def test_base_url(given: str, base: str) -> None:
    assert VllmConfig(base_url=given).base_url == base


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("localhost:8000", "write http://localhost:8000"),
        ("localhost", "http://"),
        ("ftp://host", "write http://host"),
        ("http://", "no valid host"),
        ("http://host:port", "no valid host and port"),
        ("http://host:99999", "no valid host and port"),
        ("http://[::1", "no valid host"),
        ("http://host?key=secret-canary", "query"),
        ("http://host/#secret-canary", "fragment"),
        ("http://ho st", "whitespace"),
        ("http://host\n:8000", "control characters"),
        ("user:secret-canary@host:8000", "write http://host:8000"),
        ("", "http://"),
    ],
)
def test_an_invalid_base_url_is_refused(given: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        VllmConfig(base_url=given)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_credentials_leave_the_url() -> None:
    config = VllmConfig(base_url="https://ann:p%40ss@host/v1", proxy="http://bob:word@proxy:3128")
    assert (config.base_url, config.proxy) == ("https://host", "http://proxy:3128")
    assert authorization(config) == "Basic YW5uOnBAc3M="
    assert config.proxy_auth is not None
    assert config.proxy_auth.get_secret_value() == "bob:word"


def test_given_credentials_come_before_those_of_the_url() -> None:
    config = VllmConfig(base_url="https://a:b@host", basic_auth="c:d")
    assert config.basic_auth == SecretStr("c:d")
    assert authorization(VllmConfig(base_url="https://a:b@host", api_key="k")) == "Bearer k"


# Environment


def test_defaults() -> None:
    config = VllmConfig()
    assert (config.base_url, config.api_key, config.max_retries) == ("http://localhost:8000", None, 2)
    assert config.timeout == Timeouts(connect=5, pool=600, write=30, first_token=600, stall=120, total=None)
    assert config.transport == "auto"
    assert (config.max_connections, config.keepalive_expiry, config.verify) == (256, 4.0, True)
    assert config.streaming_allowed


def test_environment_comes_before_defaults_and_after_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", "http://u:p@gpu:8000/v1")
    monkeypatch.setenv("VLLM_API_KEY", "sk-env\n")
    monkeypatch.setenv("VLLM_TIMEOUT", "9")
    monkeypatch.setenv("VLLM_MAX_RETRIES", "5")
    config = VllmConfig()
    assert (config.base_url, api_key_of(config), config.max_retries) == ("http://gpu:8000", "sk-env", 5)
    assert timeouts_of(config).stall == 9
    assert config.basic_auth == SecretStr("u:p")
    config = VllmConfig(base_url="http://b:1", api_key="sk", timeout=3, max_retries=0)
    assert (config.base_url, api_key_of(config), config.max_retries) == ("http://b:1", "sk", 0)
    assert timeouts_of(config).stall == 3
    assert config.basic_auth is None


def test_the_transport_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_TRANSPORT", "httpx")
    assert VllmConfig().transport == "httpx"
    assert VllmConfig(transport="auto").transport == "auto"
    monkeypatch.setenv("VLLM_TRANSPORT", "aiohttp")
    with pytest.raises(ConfigurationError, match="VLLM_TRANSPORT is malformed: expected auto or httpx"):
        VllmConfig()


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_credentials_of_a_proxy_are_split_off(scheme: str) -> None:
    config = VllmConfig(proxy=f"{scheme}://user:p%40ss@proxy:3128")
    assert (config.proxy, config.proxy_auth) == (f"{scheme}://proxy:3128", SecretStr("user:p@ss"))


def test_none_is_not_given_and_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-env")
    assert api_key_of(VllmConfig(api_key=None, base_url=None, timeout=None, max_retries=None)) == "sk-env"
    assert api_key_of(VllmConfig(api_key="")) is None
    assert api_key_of(VllmConfig(api_key=" \n")) is None


def test_key_of_another_service_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert authorization(VllmConfig()) is None


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("VLLM_TIMEOUT", "ten"),
        ("VLLM_TIMEOUT", "0"),
        ("VLLM_TIMEOUT", "-1"),
        ("VLLM_TIMEOUT", "nan"),
        ("VLLM_TIMEOUT", "inf"),
        ("VLLM_MAX_RETRIES", "2.5"),
        ("VLLM_MAX_RETRIES", "-1"),
        ("VLLM_MAX_RETRIES", "²"),
        ("VLLM_BASE_URL", "gpu:8000"),
        ("VLLM_API_KEY", "sk-canary\nsecond line"),
        ("VLLM_API_KEY", "sk-canary-ключ"),
    ],
)
def test_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=f"environment variable {variable} ") as caught:
        VllmConfig()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_environment_of_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_MODEL", " demo ")
    assert environment("VLLM_MODEL", str, None) == "demo"
    monkeypatch.setenv("VLLM_MODEL", "")
    assert environment("VLLM_MODEL", str, None) is None
    assert (read_number("0.5"), read_count("7")) == (0.5, 7)


def test_nothing_is_read_at_import() -> None:
    code = (
        "import os; os.environ['VLLM_TIMEOUT'] = 'ten'; import vllm_connect.config.config, vllm_connect.transport.http"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from vllm_connect.config.config import VllmConfig; from vllm_connect.transport.http import *;"
        "Transport(VllmConfig()); AsyncTransport(VllmConfig());"
        "sys.exit(' '.join({'httpx', 'aiohttp', 'http.client'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Keys and headers


def test_key_from_a_function() -> None:
    keys = iter(["one", "two\n"])
    config = VllmConfig(api_key=lambda: next(keys))
    assert [authorization(config), authorization(config)] == ["Bearer one", "Bearer two"]


def test_an_assigned_key_that_is_no_string_is_refused() -> None:
    settings = VllmConfig(base_url="http://127.0.0.1:1")
    settings.api_key = 5  # type: ignore[assignment]  # which is the mistake
    with pytest.raises(ConfigurationError, match="must be a string"):
        authorization(settings)


def test_key_from_a_function_that_gives_none() -> None:
    with pytest.raises(ConfigurationError, match="must return a string"):
        authorization(VllmConfig(api_key=lambda: None))


@pytest.mark.parametrize("key", ["sk-canary\nx", "sk-canary\0", "sk-canary\x7f", "ключ-canary", "canary\u2028x"])
def test_key_that_cannot_be_sent(key: str) -> None:
    for settings in ({"api_key": key}, {"headers": {"x-token": key}}, {"user_agent": key}):
        with pytest.raises(ConfigurationError, match="not shown") as caught:
            VllmConfig(**settings)
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None
        frame = caught.value.__traceback__
        frame = frame and frame.tb_next  # the first is this test's own
        while frame is not None:
            assert "canary" not in repr(frame.tb_frame.f_locals)
            frame = frame.tb_next


@pytest.mark.parametrize("name", ["", "a b", "x:y", "é", "x\n", "Content-Length", "transfer-encoding", "Connection"])
def test_header_name_that_cannot_be_sent(name: str) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        VllmConfig(headers={name: "v"})


def test_header_value_is_stripped() -> None:
    assert header_value(" v\n", "header") == "v"


# Secrets


def secretive() -> VllmConfig:
    return VllmConfig(
        base_url="http://ann:canary-1@host",
        api_key="canary-2",
        headers={"x-token": "canary-3"},
        proxy="http://bob:canary-4@proxy:1",
    )


def test_secrets_do_not_leave() -> None:
    config = secretive()
    surfaces = [
        repr(config),
        str(config),
        repr(config.model_dump()),
        config.model_dump_json(),
        repr(config.model_dump(mode="json")),
        repr(pickle.dumps(config)),
        repr(dict(config)),
        repr(list(config.__repr_args__())),
        repr(config.model_fields_set),
        repr(pickle.dumps(config.model_copy(deep=True))),
        f"{config!s} {config!r} {config}",
    ]
    assert not [surface for surface in surfaces if "canary" in surface]


def test_copies_keep_the_key_and_pickles_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    config = secretive()
    for same in (copy.copy(config), copy.deepcopy(config), config.model_copy()):
        assert authorization(same) == "Bearer canary-2"
        assert same == config
    again = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own bytes
    assert (authorization(again), again.headers, again.basic_auth, again.proxy_auth) == (None, {}, None, None)
    assert (again.base_url, again.proxy, again.timeout) == (config.base_url, config.proxy, config.timeout)
    monkeypatch.setenv("VLLM_API_KEY", "sk-env")
    assert authorization(pickle.loads(pickle.dumps(config))) == "Bearer sk-env"  # noqa: S301 - our own bytes


def key_function() -> str:
    return "from-a-function"


def test_function_is_pickled() -> None:
    again = pickle.loads(pickle.dumps(VllmConfig(api_key=key_function)))  # noqa: S301 - our own bytes
    assert authorization(again) == "Bearer from-a-function"


def test_scrub() -> None:
    config = secretive()
    text = "Bearer canary-2, canary-3; canary-1 and ann:canary-1, YW5uOmNhbmFyeS0x, canary-4"
    assert "canary" not in scrub(text, secrets_of(config))
    assert "YW5u" not in scrub(text, secrets_of(config))
    assert scrub("a 1 b", secrets_of(VllmConfig(headers={"x-flag": "1"}))) == "a 1 b"


# Mistakes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temprature": 1}, "unknown argument 'temprature'"),
        ({"base_ur": "x"}, "did you mean 'base_url'?"),
        ({"timeout": 0}, "above 0"),
        ({"timeout": True}, "timeout must be"),
        ({"timeout": "long"}, "timeout must be"),
        ({"timeout": {"stal": 3}}, "did you mean 'stall'?"),
        ({"timeout": {"stall": -3}}, "timeout.stall"),
        ({"timeout": {"stall": float("inf")}}, "timeout.stall"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_connections": 0}, "max_connections"),
        ({"base_url": 5}, "base_url"),
        ({"base_url": " "}, "base_url is empty: write http://host:8000"),
        ({"base_url": "gpu-1:8000"}, "base_url must start with http:// or https://: write http://gpu-1:8000"),
        ({"base_url": "ftp://gpu-1"}, "base_url must start with http:// or https://: write http://host:8000"),
        ({"headers": ["x"]}, "headers must be"),
        ({"headers": {"x": 5}}, "headers must be"),
        ({"api_key": 5}, "api_key must be"),
        ({"proxy": "proxy:3128"}, "proxy must start with http://"),
        ({"proxy": "socks4://proxy"}, "proxy must start with http:// or https:// or socks5:// or socks5h://"),
        ({"transport": "aiohttp"}, "transport: Input should be 'auto' or 'httpx'"),
    ],
)
def test_mistakes_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        VllmConfig(**settings)
    assert words in str(caught.value)
    assert isinstance(caught.value, VllmError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.__context__ is None


def test_several_mistakes_are_all_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        VllmConfig(max_retries=-1, max_connections=0, api_key="a\nb")
    assert len(str(caught.value).splitlines()) == 3


def test_nearest() -> None:
    known = ("temperature", "top_p", "top_k")
    assert nearest("temprature", known) == "temperature"
    assert nearest("zzz", known) is None
    refuse_unknown(["top_p"], known)
    with pytest.raises(ConfigurationError, match="unknown argument 'topp'; did you mean 'top_p'"):
        refuse_unknown(["top_k", "topp"], known)


# Timeouts


def test_a_number_stands_for_the_waits() -> None:
    assert timeouts_of(VllmConfig(timeout=60)) == Timeouts(first_token=60, stall=60, connect=5, pool=60, write=30)
    assert timeouts_of(VllmConfig(timeout=2)) == Timeouts(first_token=2, stall=2, connect=2, pool=2, write=2)


def test_a_mapping_replaces_some_timeouts() -> None:
    assert timeouts_of(VllmConfig(timeout={"total": 9, "stall": None})) == Timeouts(total=9, stall=None)
    assert timeouts_of(VllmConfig(timeout={"first_token": 9})) == Timeouts(first_token=9, pool=9)
    assert timeouts_of(VllmConfig(timeout=Timeouts(connect=1))) == Timeouts(connect=1)


# As a part of other models


class Mixed(VllmConfig, BaseModel):
    """As an adapter has it."""

    temperature: float | None = Field(default=None, ge=0, alias="temp")


def test_mixin() -> None:
    assert Mixed(temp=1, base_url="http://h/v1").base_url == "http://h"
    with pytest.raises(ConfigurationError, match="did you mean 'temperature'"):
        Mixed(temprature=1)
    with pytest.raises(ConfigurationError, match="temp: Input should be greater"):
        Mixed(temp=-1)
    assert Mixed.model_json_schema()["properties"]["api_key"]


def test_an_adapter_can_spell_its_own_errors() -> None:
    class Strict(BaseModel):
        number: int

    with pytest.raises(ValidationError) as caught:
        Strict(number="sk-canary")
    problem = configuration_error(caught.value)
    assert str(problem) == "number: Input should be a valid integer, unable to parse string as an integer"

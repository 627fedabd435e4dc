"""The secrets of one call show nowhere, however the call ends.

A key, headers, credentials and `extra_body` are arguments of `invoke`, `bind` and `chat`, which frameworks hand to all who watch.
"""

import asyncio
import copy
import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_vllm import ChatVllm
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler as LlamaIndexHandler
from llama_index.core.prompts import PromptTemplate
from llama_index_vllm import VllmLLM
from pydantic import BaseModel
from vllm_connect import VllmError

from tests.faults.canaries import Watch, core_variables, leaks, of_error, of_model, of_what_it_drags_along
from tests.faults.echo import Echo
from tests.faults.fault import PROMPT
from tests.faults.replies import error, piece
from tests.faults.server import STREAM_HEAD, FaultServer, Script, answer, event, send, stall
from tests.faults.ways import Caller

SECRETS = {
    "key": "sk-call-canary-11aa",
    "header": "header-call-canary-22bb",
    "header of a function": "function-call-canary-33cc",
    "password": "basic-call-canary-44dd",
    "password of the proxy": "proxy-call-canary-55ee",
    "password of the address": "url-call-canary-66ff",
    "extra_body": "extra-call-canary-77aa",
}
TEMPLATE = "template-canary-88bb"
"""A value of `chat_template_kwargs`, which is a parameter of the answer: traces and dumps have it."""
FOR_THE_TEMPLATE = ("message", "chain", "log", "records", "warnings", "pickled error")

ADDRESS = f"user:{SECRETS['password of the address']}@"


def arguments(url: str) -> dict[str, Any]:
    """Return arguments of a call with a secret in each; a server on this machine is never reached through the proxy."""
    return {
        "api_key": SECRETS["key"],
        "headers": {"x-tenant": SECRETS["header"], "x-token": lambda: SECRETS["header of a function"]},
        "basic_auth": f"user:{SECRETS['password']}",
        "proxy": "http://127.0.0.1:1",
        "proxy_auth": f"user:{SECRETS['password of the proxy']}",
        "base_url": url.replace("//", f"//{ADDRESS}"),
        "extra_body": {"given": SECRETS["extra_body"]},
        "chat_template_kwargs": {"given": TEMPLATE},
    }


class Spy(BaseCallbackHandler):
    """Keeps what LangChain's callbacks receive."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_chat_model_start(self, *given: Any, **more: Any) -> None:
        self.seen.append((given, more))

    def on_llm_error(self, *given: Any, **more: Any) -> None:
        self.seen.append((given, more))


class LlamaIndexSpy(LlamaIndexHandler):
    """Keeps what LlamaIndex's callbacks receive."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[Any] = []

    def on_event_start(self, *given: Any, **more: Any) -> str:
        self.seen.append((given, more))
        return ""

    def on_event_end(self, *given: Any, **more: Any) -> None:
        self.seen.append((given, more))

    def start_trace(self, trace_id: str | None = None) -> None: ...
    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


SPIES: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "langchain": lambda: (spy := Spy(), {"callbacks": [spy]}),
    "llamaindex": lambda: (spy := LlamaIndexSpy(), {"callback_manager": CallbackManager([spy])}),
}


@pytest.fixture(params=SPIES)
def kind(request: pytest.FixtureRequest) -> str:
    """Each adapter in turn; the core's client has no arguments of one call."""
    return str(request.param)


class OfTheCaller(Exception):  # noqa: N818 - a name of its own
    """What the caller raises while it reads a stream."""


# Ends of a call


def completed(call: Caller, _: FaultServer) -> None:
    assert call(PROMPT).text


async def begun(server: FaultServer) -> None:
    """Wait until the request has come, and a little more."""
    while not server.requests:  # noqa: ASYNC110 - the server is in a thread
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)


def cancelled(call: Caller, server: FaultServer) -> None:
    async def cancel() -> None:
        task = asyncio.ensure_future(call.acall(PROMPT))
        await begun(server)
        task.cancel()
        await task

    call.run(cancel())


def waited_for(call: Caller, server: FaultServer) -> None:
    async def wait() -> None:
        task = asyncio.ensure_future(call.acall(PROMPT))
        await begun(server)
        await asyncio.wait_for(task, 0.01)

    call.run(wait())


def interrupted(call: Caller, server: FaultServer) -> None:
    """Interrupt the process, as Ctrl+C does."""

    def interrupt(thread: int) -> None:
        asyncio.run(begun(server))
        signal.pthread_kill(thread, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    interrupting = threading.Thread(target=interrupt, args=(threading.get_ident(),))
    interrupting.start()
    try:
        call(PROMPT)
    finally:
        interrupting.join()
        signal.signal(signal.SIGUSR1, before)


def left_by_an_error(call: Caller, _: FaultServer) -> None:
    """Raise the caller's own exception where the stream stands."""
    if call.is_async:

        async def leave() -> None:
            stream: Any = call.asker.astream(PROMPT)
            await anext(stream)
            await stream.athrow(OfTheCaller())

        call.run(leave())
    else:
        stream: Any = call.asker.stream(PROMPT)
        next(stream)
        stream.throw(OfTheCaller())


SENT = [secret for what, secret in SECRETS.items() if what not in {"extra_body", "password of the address"}]
"""The secrets that a server may repeat; `basic_auth` comes before the password of the address."""
ECHO = error(f"no {' '.join(SENT)}", 401)
BEGUN = [send(STREAM_HEAD + event(piece(content="Hel"))), stall]
ENDS: dict[str, tuple[Script, Callable[[Caller, FaultServer], None], type[BaseException], tuple[str, ...]]] = {
    "refused": (answer(ECHO, "401 Unauthorized"), completed, VllmError, ("call", "stream", "acall", "astream")),
    "late": ([stall], completed, VllmError, ("call", "stream", "acall", "astream")),
    "stalled": (BEGUN, completed, VllmError, ("stream", "astream")),
    "cancelled": ([stall], cancelled, asyncio.CancelledError, ("acall", "astream")),
    "cancelled in the stream": (BEGUN, cancelled, asyncio.CancelledError, ("astream",)),
    "asyncio.wait_for": ([stall], waited_for, TimeoutError, ("acall", "astream")),
    "interrupted": ([stall], interrupted, KeyboardInterrupt, ("call", "stream", "acall", "astream")),
    "interrupted in the stream": (BEGUN, interrupted, KeyboardInterrupt, ("stream", "astream")),
    "the caller's error": (BEGUN, left_by_an_error, OfTheCaller, ("stream", "astream")),
}
CELLS = [(end, way) for end, (*_, ways) in ENDS.items() for way in ways]


@pytest.mark.parametrize("how", ["arguments", "fields"])
def test_no_secret_of_a_call_that_is_answered_shows(kind: str, way: str, how: str, echo: Echo) -> None:
    spy, settings = SPIES[kind]()
    settings[how] = arguments(echo.url)
    with Watch() as watch, Caller(kind, "http://127.0.0.1:1", way, **settings) as call:
        came = call(PROMPT)
        shown = {**of_model(call.asker.held), "answer": repr(came.raw), "callbacks": repr(spy.seen), **watch.shown()}
    assert came.text == PROMPT
    assert leaks(shown, SECRETS) == []
    assert "[secret]" in shown["callbacks"]
    assert TEMPLATE in shown["callbacks"]
    assert PROMPT in shown["callbacks"]


@pytest.mark.parametrize(("end", "way"), CELLS)
def test_no_secret_of_a_call_that_fails_shows(kind: str, route: str, end: str, way: str) -> None:
    script, act, wanted, _ = ENDS[end]
    spy, settings = SPIES[kind]()
    timeout = {"first_token": 0.2, "stall": 0.2} if act is completed else {"first_token": 20, "stall": 20}
    with FaultServer(script) as server, Watch() as watch:
        with (
            Caller(
                kind, "http://127.0.0.1:1", way, route, timeout=timeout, arguments=arguments(server.url), **settings
            ) as call,
            pytest.raises(wanted) as caught,
        ):
            act(call, server)
        shown = {**watch.shown(), **of_error(caught.value), "callbacks": repr(spy.seen)}
        dragged = of_what_it_drags_along(caught.value)
        shown |= dragged if wanted is VllmError else {"variables": dragged["variables"]}
        assert PROMPT not in core_variables(caught.value)
        assert server.requests[0].headers["authorization"] == f"Bearer {SECRETS['key']}"
    assert leaks(shown, SECRETS) == []
    assert leaks({name: shown[name] for name in FOR_THE_TEMPLATE if name in shown}, {"template": TEMPLATE}) == []


# What keeps arguments


def test_a_bound_model_shows_no_secret_and_its_copies_have_them(echo: Echo) -> None:
    bound = ChatVllm(base_url="http://127.0.0.1:1", model="demo").bind(**arguments(echo.url))
    copied = copy.deepcopy(bound)
    shown = {"repr": repr(bound), "dump": f"{bound.model_dump()} {dict(bound)}", "serialised": dumps(bound)}
    shown["copy"] = repr(copied)
    assert leaks(shown, SECRETS) == []
    assert copied.invoke(PROMPT).text == PROMPT


def test_a_pickle_of_a_bound_model_has_no_secret(echo: Echo) -> None:
    """As with those of a model: what needs them has to bind them again."""
    given = {name: value for name, value in arguments(echo.url).items() if name != "base_url"}
    bound = ChatVllm(base_url=echo.url, model="demo", max_retries=0).bind(**given)
    pickled = pickle.dumps(bound)
    assert leaks({"pickle": pickled.decode("latin-1")}, SECRETS) == []
    assert pickle.loads(pickled).invoke(PROMPT).text == PROMPT  # noqa: S301 - our own


def test_a_second_bind_shows_its_secrets_until_the_call(echo: Echo) -> None:
    """LangChain's own class binds the second time; the page says so."""
    bound = ChatVllm(base_url=echo.url, model="demo").bind(top_k=1).bind(api_key=SECRETS["key"])
    with Watch() as watch:
        assert bound.invoke(PROMPT).text == PROMPT
    assert leaks(watch.shown(), SECRETS) == []
    assert leaks({"repr": repr(bound)}, SECRETS) == ["repr shows the key"]


@pytest.mark.parametrize("name", ["extra_body", "headers"])
def test_hidden_arguments_are_part_of_the_key_of_a_cache(name: str, echo: Echo) -> None:
    cache = InMemoryCache()
    model = ChatVllm(base_url=echo.url, model="demo", cache=cache)
    before = echo.asked
    for value in ("first-call-canary", "second-call-canary", "first-call-canary"):
        given: dict[str, Any] = {name: {"given": value}}
        model.invoke(PROMPT, **given)
    assert echo.asked - before == 2
    assert "call-canary" not in repr(cache.__dict__)


def test_extra_body_of_a_model_is_part_of_the_key_of_a_cache() -> None:
    one, two = (ChatVllm(base_url="http://gpu", extra_body={"given": each}) for each in "ab")
    assert one._get_llm_string() != two._get_llm_string()
    assert one._get_llm_string() == ChatVllm(base_url="http://gpu", extra_body={"given": "a"})._get_llm_string()


@pytest.mark.parametrize("model", [ChatVllm, VllmLLM])
def test_extra_body_of_a_model_shows_nowhere(model: Any) -> None:
    held = model(base_url="http://gpu", model="demo", extra_body={"given": SECRETS["extra_body"]})
    shown = {**of_model(held), "dump": repr(held.model_dump())}
    kept = {"state", "pickle", "copy"}
    """Other processes need it; the page says so."""
    assert leaks({name: text for name, text in shown.items() if name not in kept}, SECRETS) == []
    assert {name for name in kept if SECRETS["extra_body"] in shown[name]} == kept


class Echoed(BaseModel):
    """What is predicted."""

    text: str


def test_arguments_within_arguments_show_no_secret(echo: Echo) -> None:
    llm = VllmLLM(base_url="http://127.0.0.1:1", model="demo", max_retries=0)
    template = PromptTemplate("{answer}")
    with Watch() as watch:
        predicted = llm.structured_predict(
            Echoed, template, llm_kwargs=arguments(echo.url), answer='{"text": "echoed"}'
        )
    assert predicted.text == "echoed"
    assert leaks(watch.shown(), SECRETS) == []
    assert "[secret]" in watch.shown()["spans"]


def test_structured_output_shows_no_secret(echo: Echo) -> None:
    chain = ChatVllm(base_url="http://127.0.0.1:1", model="demo").with_structured_output(Echoed, **arguments(echo.url))
    with Watch() as watch:
        assert chain.invoke('{"text": "echoed"}').text == "echoed"
    assert leaks({"repr": repr(chain), **watch.shown()}, SECRETS) == []

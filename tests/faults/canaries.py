"""Where a secret might show: secrets that can be told apart, and every place in which they are looked for.

`leaks(shown)` lists what shows where; `of_model`, `of_error` and `Watch` collect what is shown. A prompt may stand in an
answer, a trace and a model's own prompts, but in no log and in no error.
"""

import copy
import logging
import pickle
import traceback
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from langchain_core.load import dumps
from langchain_core.tracers.context import collect_runs
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span import SimpleSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler

from tests.faults.fault import CANARY, PROMPT

__all__ = [
    "CREDENTIALS",
    "PLACES",
    "SECRETS",
    "Watch",
    "core_variables",
    "leaks",
    "of_error",
    "of_model",
    "of_what_it_drags_along",
    "settings",
]

SECRETS = {
    "key": CANARY,
    "header": "header-canary-83ab",
    "password of the proxy": "proxy-canary-2c9e",
    "password of the address": "url-canary-77e0",
}
CREDENTIALS = f"user:{SECRETS['password of the address']}"

PLACES = (
    "repr", "str", "dump", "JSON", "serialised", "state", "pickle", "copy", "parameters",
    "answer", "message", "chain", "variables", "pickled error", "log", "records", "warnings", "traces", "events", "spans",
)  # fmt: skip
"""A recording is one more, which a test of its own makes."""

FOR_THE_PROMPT = frozenset({"message", "chain", "pickled error", "log", "records", "warnings"})

Shown = dict[str, str]


def settings() -> dict[str, Any]:
    """Return settings with a secret in each; a server on this machine is never reached through the proxy."""
    return {
        "api_key": SECRETS["key"],
        "headers": {"x-tenant": SECRETS["header"]},
        "proxy": f"http://user:{SECRETS['password of the proxy']}@127.0.0.1:1",
    }


def leaks(shown: Mapping[str, str], secrets: Mapping[str, str] = SECRETS) -> list[str]:
    """List the secrets that show, and the prompt where it must not."""
    found = [(where, what) for where, text in shown.items() for what, secret in secrets.items() if secret in text]
    found += [(where, "prompt") for where in FOR_THE_PROMPT & shown.keys() if PROMPT in shown[where]]
    return [f"{where} shows the {what}" for where, what in sorted(found)]


def of_model(model: Any) -> Shown:
    """Show a model, or the core's client, in every way that it may be shown or kept."""
    kept = getattr(model, "config", model)
    shown = {
        "repr": f"{model!r} {kept!r}",
        "str": f"{model} {kept}",
        "dump": f"{kept.model_dump()} {dict(kept)}",
        "JSON": kept.model_dump_json(),
        "state": repr(kept.__getstate__()),
        "pickle": _bytes(pickle.dumps(kept)),
        "copy": f"{copy.deepcopy(kept)!r} {_bytes(pickle.dumps(copy.copy(kept)))}",
    }
    if hasattr(model, "_get_ls_params"):
        shown["serialised"] = f"{dumps(model)} {model.lc_attributes} {model.asdict()}"
        shown["parameters"] = f"{model._get_ls_params()} {model._get_invocation_params()} {model._get_llm_string()}"
    if hasattr(model, "to_dict"):
        shown["serialised"] = f"{model.to_dict()} {model.to_json()}"
        shown["parameters"] = repr(model.metadata)
    return shown


def of_error(error: BaseException) -> Shown:
    """Show an error and its causes."""
    causes = [f"{each!r} {each.__dict__} {traceback.format_exception(each)}" for each in _chain(error)]
    return {"message": f"{error} {error!r} {error.args}", "chain": " ".join(causes)}


def of_what_it_drags_along(error: BaseException) -> Shown:
    """Show the variables of an error's frames, and its pickle."""
    variables = [_variables(each) for each in _chain(error)]
    return {"variables": " ".join(variables), "pickled error": _bytes(pickle.dumps(error))}


def core_variables(error: BaseException) -> str:
    """Show the variables of the core's frames, which have neither what was asked nor with what key."""
    return " ".join(_variables(each, "/vllm_connect/", ("/adapters/",)) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _bytes(data: bytes) -> str:
    return data.decode("latin-1")


def _variables(error: BaseException, within: str = "/", without: Collection[str] = ("/tests/",)) -> str:
    """Show the variables of frames, as reporters of errors do; without more, of all frames but those of the tests."""
    texts = []
    frame = error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if within in file and not any(part in file for part in without):
            texts += [f"{name}={value!r}" for name, value in frame.tb_frame.f_locals.items()]
        frame = frame.tb_next
    return " ".join(texts)


class _Events(BaseEventHandler):
    """Keeps what LlamaIndex tells those who watch."""

    events: dict[str, list[Any]] = {}  # noqa: RUF012 - pydantic copies it

    def handle(self, event: Any, **_: Any) -> None:
        self.events.setdefault(event.class_name(), []).append(event)

    def first_and_last(self) -> list[Any]:
        """Give two of each kind: every event of a stream has all that came before it."""
        return [event for kind in self.events.values() for event in (kind[0], kind[-1])]


class _Spans(BaseSpanHandler[SimpleSpan]):
    """Keeps the arguments of LlamaIndex's spans, as tracers do."""

    arguments: list[Any] = []  # noqa: RUF012 - pydantic copies it

    def new_span(self, id_: str, bound_args: Any, *_: Any, **__: Any) -> SimpleSpan:
        self.arguments.append((bound_args.args[1:], bound_args.kwargs))
        return SimpleSpan(id_=id_)

    def prepare_to_exit_span(self, id_: str, bound_args: Any, *_: Any, **__: Any) -> SimpleSpan:
        self.arguments.append((bound_args.args[1:], bound_args.kwargs))
        return SimpleSpan(id_=id_)

    def prepare_to_drop_span(self, id_: str, bound_args: Any, *_: Any, **__: Any) -> SimpleSpan:
        return self.prepare_to_exit_span(id_, bound_args)


class Watch(logging.Handler):
    """Collects logs at DEBUG of every library, warnings, traces of LangChain and events of LlamaIndex, while it lasts."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.warned: list[warnings.WarningMessage] = []
        self._records: list[logging.LogRecord] = []
        self._events = _Events()
        self._spans = _Spans()
        self._runs: list[Any] = []
        self._stack = ExitStack()

    def __enter__(self) -> "Watch":
        root, dispatcher = logging.getLogger(), get_dispatcher()
        level = root.level
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        dispatcher.add_event_handler(self._events)
        dispatcher.add_span_handler(self._spans)
        self._stack.callback(dispatcher.event_handlers.remove, self._events)
        self._stack.callback(dispatcher.span_handlers.remove, self._spans)
        self._stack.callback(root.setLevel, level)
        self._stack.callback(root.removeHandler, self)
        self._runs = self._stack.enter_context(collect_runs()).traced_runs
        self.warned = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always", ResourceWarning)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("tests"):
            self._records.append(record)

    def shown(self) -> Shown:
        """Show all of it."""
        return {
            "log": "\n".join(f"{record.name} {record.getMessage()}" for record in self._records),
            "records": repr([record.__dict__ for record in self._records]),
            "warnings": repr([str(warning.message) for warning in self.warned]),
            "traces": " ".join(
                run.model_dump_json() if hasattr(run, "model_dump_json") else repr(run) for run in self._runs
            ),
            "events": " ".join(f"{event!r}" for event in self._events.first_and_last()),
            "spans": repr(self._spans.arguments),
        }

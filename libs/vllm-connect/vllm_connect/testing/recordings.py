"""Cassettes of vcrpy (https://vcrpy.readthedocs.io): read, replayed over a real socket, and recorded from a real server."""

import json
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from vllm_connect.testing.exchanges import JSON, Answer, Asked, Recording, Size, encoded
from vllm_connect.testing.loopback import LoopbackServer

__all__ = ["read", "record", "replay"]

TIMEOUT = 300.0
"""Seconds that a recorder waits for the real server."""


def replay(cassette: str | Path, *, size: Size = "events") -> LoopbackServer:
    """Create a server that answers from a cassette.

    A request finds its recording by method, path and JSON body. Ids of tool calls are compared by their order only and a
    `request_id` not at all. Requests that are equal get the recordings in turn, and the last of them from then on.

    Args:
        cassette: The file; a missing one has no recordings.
        size: How much of a stream is sent at once.

    Returns:
        The server, which answers 500 to what was not recorded and lists it as `unmatched`.

    Raises:
        ImportError: vcrpy is not installed.
    """
    answers: dict[str, list[Answer]] = {}
    keys: dict[str, Asked] = {}
    for recording in read(cassette):
        key = _key(recording.asked)
        keys.setdefault(key, recording.asked)
        answers.setdefault(key, []).append(recording.answer)

    def answer(asked: Asked) -> Answer | None:
        key = _key(asked)
        keys.pop(key, None)
        left = answers.get(key)
        if left is None:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    server = LoopbackServer(answer, size=size, end=lambda: server.unused.extend(keys.values()))
    return server


def record(cassette: str | Path, base_url: str) -> LoopbackServer:
    """Create a server that forwards requests to a real one and writes a cassette when the context is left.

    The cassette keeps the content types and no other header, and no address of the server. A request that equals an
    earlier one gets the same answer.

    Args:
        cassette: The file; one that exists is replaced.
        base_url: The real server, without `/v1`.

    Raises:
        ImportError: vcrpy is not installed.
    """
    tape = _Tape(Path(cassette), base_url)
    return LoopbackServer(tape.answer, end=tape.save)


def read(cassette: str | Path) -> list[Recording]:
    """Read the recordings of a cassette, in order.

    Raises:
        ImportError: vcrpy is not installed.
    """
    from vcr.cassette import Cassette  # noqa: PLC0415 - an optional dependency

    loaded = Cassette.load(path=str(cassette))
    return [_recording(request, response) for request, response in zip(loaded.requests, loaded.responses, strict=True)]


class _Tape:
    """Records with vcrpy's own connection, so that nothing else in the process is patched."""

    FORWARDED: ClassVar = ("accept", "authorization", "content-type")

    def __init__(self, path: Path, base_url: str) -> None:
        from vcr.cassette import Cassette  # noqa: PLC0415 - an optional dependency
        from vcr.record_mode import RecordMode  # noqa: PLC0415 - an optional dependency
        from vcr.stubs import (  # noqa: PLC0415 - an optional dependency
            VCRHTTPConnection,
            VCRHTTPSConnection,
        )

        path.unlink(missing_ok=True)
        self._path = path
        self._cassette = Cassette.load(
            path=str(path),
            record_mode=RecordMode.ALL,
            before_record_request=_bare_request,
            before_record_response=_bare_response,
        )
        at = urlsplit(base_url)
        self._prefix = at.path.rstrip("/")
        self._netloc = at.netloc
        kind = VCRHTTPSConnection if at.scheme == "https" else VCRHTTPConnection
        self._connection_class = type("RecordedConnection", (kind,), {"cassette": self._cassette})
        self._answers: dict[str, Answer] = {}

    def answer(self, asked: Asked) -> Answer:
        key = _key(asked)
        if key not in self._answers:
            connection = self._connection_class(self._netloc, timeout=TIMEOUT)
            try:
                body = None if asked.body is None else encoded(asked.body)
                headers = {name: asked.headers[name] for name in self.FORWARDED if name in asked.headers}
                connection.request(asked.method, self._prefix + asked.path, body, headers)
                connection.getresponse().read()
            finally:
                connection.close()
            last = _recording(self._cassette.requests[-1], self._cassette.responses[-1])
            self._answers[key] = last.answer
        return self._answers[key]

    def save(self) -> None:
        from vcr.persisters.filesystem import (  # noqa: PLC0415 - an optional dependency
            FilesystemPersister,
        )

        if len(self._cassette):
            data = {"requests": self._cassette.requests, "responses": self._cassette.responses}
            FilesystemPersister.save_cassette(str(self._path), data, serializer=_Readable)


class _Readable:
    """Writes YAML in which every line of a stream is a line."""

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        import yaml  # type: ignore[import-untyped] # noqa: PLC0415 - an optional dependency without types

        class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
            def represent_str(self, text: str) -> Any:
                style = "|" if "\n" in text else None
                return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

        Dumper.add_representer(str, Dumper.represent_str)
        written: str = yaml.dump(cassette, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=10**9)
        return written


def _bare_request(request: Any) -> Any:
    from vcr.request import Request  # noqa: PLC0415 - an optional dependency

    at = urlsplit(request.uri)
    target = f"{at.path}?{at.query}" if at.query else at.path
    return Request(request.method, f"http://127.0.0.1{target}", request.body, {})


def _bare_response(response: dict[str, Any]) -> dict[str, Any]:
    """Remove all headers but the content type, and the folder that a model was loaded from."""
    kinds = {name.lower(): values for name, values in response["headers"].items()}
    body = response["body"]["string"]
    if b'"max_model_len"' in body and b'"root"' in body:
        listed = json.loads(body)
        for card in listed["data"]:
            card["root"] = card["root"].rsplit("/", 1)[-1] if card["root"].startswith("/") else card["root"]
        body = encoded(listed)
    return {
        "status": response["status"],
        "headers": {"content-type": kinds["content-type"]} if "content-type" in kinds else {},
        "body": {"string": body},
    }


def _recording(request: Any, response: Any) -> Recording:
    at = urlsplit(request.uri)
    asked = Asked(
        request.method,
        f"{at.path}?{at.query}" if at.query else at.path,
        json.loads(request.body) if request.body else None,
    )
    headers = {name.lower(): values for name, values in response["headers"].items()}
    (kind,) = headers.get("content-type") or [JSON]
    answer = Answer(response["body"]["string"], response["status"]["code"], kind.partition(";")[0].strip())
    return Recording(asked, answer)


def _key(asked: Asked) -> str:
    ids: dict[str, str] = {}
    body = {**asked.body} if isinstance(asked.body, dict) else asked.body
    if isinstance(body, dict):
        body.pop("request_id", None)
        if isinstance(body.get("messages"), list):
            body["messages"] = [_renamed(message, ids) for message in body["messages"]]
    return json.dumps([asked.method, asked.path, body], sort_keys=True)


def _renamed(message: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Replace the ids of tool calls by their order."""
    message = {**message}
    if message.get("tool_calls"):
        message["tool_calls"] = [{**call, "id": _name(call.get("id"), ids)} for call in message["tool_calls"]]
    if "tool_call_id" in message:
        message["tool_call_id"] = _name(message["tool_call_id"], ids)
    return message


def _name(identifier: Any, ids: dict[str, str]) -> str:
    return ids.setdefault(str(identifier), f"call {len(ids)}")

"""What is sent for each content block, in both frameworks.

A row is one kind of content in one form. A framework without such a form has None; a block that cannot be sent is a
`Refused` with a part of the error message.
"""

import base64
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import HumanMessage
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index_vllm import VllmLLM
from vllm_connect import ConfigurationError
from vllm_connect.testing import Answer, Asked, LoopbackServer

__all__ = ["BLOCKS", "Block", "Refused", "sent_by"]

DATA = b"\x00\x01\x02"
B64 = base64.b64encode(DATA).decode()
TEXT = "gr\u00fc\u00df"
TEXT_64 = base64.b64encode(TEXT.encode()).decode()
WEB = "https://example.org/"
LOCAL = "file:/a/b"


class Refused(NamedTuple):
    """A block that is refused.

    Attributes:
        words: A part of the error message.
    """

    words: str


Outcome = dict[str, Any] | Refused
Made = Callable[[Path], Any]
"""Creates a LlamaIndex block; its files are written to the folder."""


class Block(NamedTuple):
    """A row of the matrix.

    Attributes:
        kind: What it is, `image`.
        form: How it is given, `URL`.
        langchain: LangChain's block, None where it has none.
        llamaindex: Creates LlamaIndex's block, None if it has none.
        sent: The part that is sent, or the refusal.
    """

    kind: str
    form: str
    langchain: dict[str, Any] | str | None
    llamaindex: Made | None
    sent: Outcome

    @property
    def name(self) -> str:
        """The row's name."""
        return f"{self.kind}, {self.form}"


def url(kind: str, address: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, kind: {"url": address, **more}}


def inline(kind: str, mime: str) -> dict[str, Any]:
    return url(kind, f"data:{mime};base64,{B64}")


def sound(form: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": B64, "format": form}}


def anthropic(kind: str, mime: str, data: str = B64) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "base64", "media_type": mime, "data": data}}


def written(folder: Path, name: str, data: bytes = DATA) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


SAID = {"type": "text", "text": TEXT}
PDF = "application/pdf"
NO_PDF = Refused("application/pdf")
NOT_FETCHED = Refused("downloaded")
NOT_STORED = Refused("stores no files")
ELSEWHERE = Refused("only http://, https:// and data: URLs are sent")
WITHIN = Refused("private host")

BLOCKS = [
    Block("text", "as it is", {"type": "text", "text": TEXT}, lambda _: TextBlock(text=TEXT), SAID),
    Block("text", "string", TEXT, None, SAID),
    Block("text", "OpenAI Responses", {"type": "input_text", "text": TEXT}, None, SAID),
    Block(
        "image",
        "URL",
        {"type": "image", "url": f"{WEB}a.png"},
        lambda _: ImageBlock(url=f"{WEB}a.png"),
        url("image_url", f"{WEB}a.png"),
    ),
    Block(
        "image",
        "base64",
        {"type": "image", "base64": B64, "mime_type": "image/png"},
        lambda _: ImageBlock(url=f"data:image/png;base64,{B64}"),
        inline("image_url", "image/png"),
    ),
    Block(
        "image",
        "bytes",
        None,
        lambda _: ImageBlock(image=DATA, image_mimetype="image/png"),
        inline("image_url", "image/png"),
    ),
    Block(
        "image",
        "open file",
        None,
        lambda _: ImageBlock(image=BytesIO(DATA), image_mimetype="image/png"),
        inline("image_url", "image/png"),
    ),
    Block("image", "path", None, lambda p: ImageBlock(path=written(p, "a.webp")), inline("image_url", "image/webp")),
    Block("image", "Anthropic, base64", anthropic("image", "image/png"), None, inline("image_url", "image/png")),
    Block(
        "image",
        "Anthropic, URL",
        {"type": "image", "source": {"type": "url", "url": f"{WEB}a.png"}},
        None,
        url("image_url", f"{WEB}a.png"),
    ),
    Block(
        "image",
        "OpenAI",
        url("image_url", f"{WEB}a.png", detail="low"),
        lambda _: ImageBlock(url=f"{WEB}a.png", detail="low"),
        url("image_url", f"{WEB}a.png", detail="low"),
    ),
    Block(
        "image",
        "OpenAI Responses",
        {"type": "input_image", "image_url": f"{WEB}a.png"},
        None,
        url("image_url", f"{WEB}a.png"),
    ),
    Block("image", "file id", {"type": "image", "file_id": "f-1"}, None, NOT_STORED),
    Block("image", "URL of a local file", {"type": "image", "url": LOCAL}, lambda _: ImageBlock(url=LOCAL), ELSEWHERE),
    Block(
        "image",
        "URL of a private host",
        {"type": "image", "url": "http://10.0.0.1/a.png"},
        lambda _: ImageBlock(url="http://10.0.0.1/a.png"),
        WITHIN,
    ),
    Block(
        "audio",
        "URL",
        {"type": "audio", "url": f"{WEB}a.wav"},
        lambda _: AudioBlock(url=f"{WEB}a.wav"),
        url("audio_url", f"{WEB}a.wav"),
    ),
    Block("audio", "base64", {"type": "audio", "base64": B64, "mime_type": "audio/mpeg"}, None, sound("mp3")),
    Block("audio", "bytes", None, lambda _: AudioBlock(audio=DATA, format="mp3"), sound("mp3")),
    Block("audio", "path", None, lambda p: AudioBlock(path=written(p, "a.flac")), sound("flac")),
    Block("audio", "OpenAI", sound("wav"), None, sound("wav")),
    Block(
        "video",
        "URL",
        {"type": "video", "url": f"{WEB}a.mp4"},
        lambda _: VideoBlock(url=f"{WEB}a.mp4"),
        url("video_url", f"{WEB}a.mp4"),
    ),
    Block(
        "video",
        "base64",
        {"type": "video", "base64": B64, "mime_type": "video/mp4"},
        None,
        inline("video_url", "video/mp4"),
    ),
    Block(
        "video",
        "bytes",
        None,
        lambda _: VideoBlock(video=DATA, video_mimetype="video/mp4"),
        inline("video_url", "video/mp4"),
    ),
    Block("video", "path", None, lambda p: VideoBlock(path=written(p, "a.webm")), inline("video_url", "video/webm")),
    Block("video", "as vLLM takes it", url("video_url", f"{WEB}a.mp4"), None, url("video_url", f"{WEB}a.mp4")),
    Block("PDF", "base64", {"type": "file", "base64": B64, "mime_type": PDF}, None, NO_PDF),
    Block("PDF", "bytes", None, lambda _: DocumentBlock(data=DATA, document_mimetype=PDF), NO_PDF),
    Block("PDF", "path", None, lambda p: DocumentBlock(path=written(p, "a.pdf")), NO_PDF),
    Block(
        "PDF",
        "URL",
        {"type": "file", "url": f"{WEB}a.pdf", "mime_type": PDF},
        lambda _: DocumentBlock(url=f"{WEB}a.pdf"),
        NOT_FETCHED,
    ),
    Block("PDF", "Anthropic, base64", anthropic("document", PDF), None, NO_PDF),
    Block(
        "PDF",
        "Anthropic, URL",
        {"type": "document", "source": {"type": "url", "url": f"{WEB}a.pdf"}},
        None,
        NOT_FETCHED,
    ),
    Block(
        "PDF",
        "OpenAI",
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:{PDF};base64,{B64}"}},
        None,
        NO_PDF,
    ),
    Block("PDF", "OpenAI, file id", {"type": "file", "file": {"file_id": "f-1"}}, None, NOT_STORED),
    Block("PDF", "OpenAI Responses, URL", {"type": "input_file", "file_url": f"{WEB}a.pdf"}, None, NOT_FETCHED),
    Block("text document", "as it is", {"type": "text-plain", "text": TEXT, "mime_type": "text/plain"}, None, SAID),
    Block(
        "text document",
        "base64",
        {"type": "text-plain", "base64": TEXT_64, "mime_type": "text/plain"},
        None,
        SAID,
    ),
    Block(
        "text document",
        "bytes",
        None,
        lambda _: DocumentBlock(data=TEXT.encode(), document_mimetype="text/plain"),
        SAID,
    ),
    Block("text document", "open file", None, lambda _: DocumentBlock(data=BytesIO(TEXT.encode())), SAID),
    Block("text document", "path", None, lambda p: DocumentBlock(path=written(p, "a.txt", TEXT.encode())), SAID),
    Block(
        "text document",
        "path of no file",
        None,
        lambda p: DocumentBlock(path=str(p / "none.txt")),
        Refused("cannot be read"),
    ),
    Block(
        "text document",
        "URL",
        {"type": "text-plain", "url": f"{WEB}a.txt", "mime_type": "text/plain"},
        lambda _: DocumentBlock(url=f"{WEB}a.txt"),
        NOT_FETCHED,
    ),
    Block(
        "text document",
        "Anthropic, text",
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": TEXT}},
        None,
        SAID,
    ),
    Block(
        "text document",
        "Anthropic, blocks",
        {"type": "document", "source": {"type": "content", "content": [SAID]}},
        None,
        SAID,
    ),
    Block(
        "text document",
        "OpenAI",
        {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{TEXT_64}"}},
        None,
        SAID,
    ),
    Block(
        "text document",
        "OpenAI, bare base64",
        {"type": "input_file", "filename": "a.txt", "file_data": TEXT_64},
        None,
        SAID,
    ),
    Block(
        "text document",
        "data URL",
        {"type": "file", "url": f"data:text/plain;base64,{TEXT_64}", "mime_type": "text/plain"},
        lambda _: DocumentBlock(url=f"data:text/plain;base64,{TEXT_64}"),
        SAID,
    ),
    Block(
        "text document",
        "not UTF-8",
        {"type": "file", "base64": "/w==", "mime_type": "text/plain"},
        lambda _: DocumentBlock(data=b"\xff", document_mimetype="text/plain"),
        Refused("UTF-8"),
    ),
    Block(
        "file",
        "image in it",
        {"type": "file", "base64": B64, "mime_type": "image/png"},
        lambda _: DocumentBlock(data=DATA, document_mimetype="image/png"),
        inline("image_url", "image/png"),
    ),
    Block(
        "file",
        "of no known type",
        {"type": "file", "base64": B64},
        lambda _: DocumentBlock(data=b"PK\x03\x04" + DATA * 9),
        Refused("vLLM does not accept"),
    ),
    Block(
        "any",
        "bytes for base64",
        {"type": "image", "base64": DATA, "mime_type": "image/png"},
        None,
        Refused("base64 string"),
    ),
    Block("any", "empty", {"type": "image"}, lambda _: ImageBlock(), Refused("it has no data")),
    Block(
        "any",
        "of an unknown type",
        {"type": "search_result", "title": "a"},
        None,
        Refused("vLLM has no content part of this type"),
    ),
]
"""The matrix."""


def sent_by(framework: str, block: Block, folder: Path) -> Outcome | None:
    """Send a block as the second of the second message, and return the part that was sent.

    Args:
        framework: `LangChain` or `LlamaIndex`.
        block: The row.
        folder: A folder for files.

    Returns:
        The part, or the refusal; None if the framework has no such block.
    """
    given = block.langchain if framework == "LangChain" else block.llamaindex and block.llamaindex(folder)
    if given is None:
        return None
    bodies: list[Mapping[str, Any]] = []

    def answer(asked: Asked) -> Answer:
        bodies.append(asked.body)
        return Answer.json({"choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}]})

    with LoopbackServer(answer) as server:
        try:
            if framework == "LangChain":
                with ChatVllm(base_url=server.url, model="demo") as model:
                    model.invoke([HumanMessage("Hi"), HumanMessage(["Look:", given])])
            else:
                blocks = [TextBlock(text="Look:"), given]
                llm = VllmLLM(base_url=server.url, model="demo")
                llm.chat([ChatMessage("Hi"), ChatMessage(role="user", blocks=blocks)])
        except ConfigurationError as error:
            assert not bodies
            return Refused(str(error))
    content = bodies[0]["messages"][1]["content"]
    if isinstance(content, str):
        return {"type": "text", "text": content.removeprefix("Look:\n")}
    assert content[0] == {"type": "text", "text": "Look:"}
    (part,) = content[1:]
    return dict(part)

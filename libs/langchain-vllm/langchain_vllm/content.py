"""Content blocks, and the parts that vLLM's chat endpoint takes.

`{"type": "image", "base64": "iVBOR…", "mime_type": "image/png"}` becomes
`{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR…"}}`. Blocks may be LangChain's standard
ones, OpenAI's or Anthropic's. Source: the content part types of vLLM 0.32.0 (entrypoints/chat_utils.py).
"""

import base64
import binascii
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from langchain_vllm.errors import ConfigurationError

__all__ = ["Block", "Part", "reasoning_text", "to_parts", "to_text_or_parts"]

Block: TypeAlias = str | Mapping[str, Any]
Part: TypeAlias = dict[str, Any]

ELSEWHERE = frozenset(
    {
        "function_call",
        "input_json_delta",
        "invalid_tool_call",
        "reasoning",
        "redacted_thinking",
        "server_tool_call",
        "server_tool_call_chunk",
        "server_tool_result",
        "thinking",
        "tool_call",
        "tool_call_chunk",
        "tool_use",
    }
)
"""Blocks that are no content on the wire: calls and reasoning have fields of their own."""

AUDIO_FORMATS = {"mpeg": "mp3", "mp3": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
"""MIME subtypes whose format has another name."""


def to_text_or_parts(content: str | Iterable[Block], *, at: int, joint: str = "\n") -> str | list[Part]:
    """Write a message's content.

    Args:
        content: A string, or a list of strings and blocks.
        at: The message's index, for errors.
        joint: What is put between texts.

    Returns:
        A string where there is nothing but text, which every chat template understands; else a list of parts.

    Raises:
        ConfigurationError: vLLM has no part for a block; the message says which block of which message.
    """
    if isinstance(content, str):
        return content
    parts = to_parts(content, at=at)
    if all(part["type"] == "text" for part in parts):
        return joint.join(part["text"] for part in parts)
    return parts


def to_parts(content: Iterable[Block], *, at: int) -> list[Part]:
    """Write blocks as parts; blocks of calls and reasoning are left out."""
    parts = []
    for index, block in enumerate(content):
        if isinstance(block, str):
            parts.append(_text(block))
        elif block.get("type") not in ELSEWHERE:
            parts.append(_placed(block, at, index))
    return parts


def reasoning_text(content: str | Iterable[Block]) -> str:
    """Join the reasoning that stands in blocks."""
    if isinstance(content, str):
        return ""
    blocks = [block for block in content if isinstance(block, Mapping)]
    return "".join(str(b.get("reasoning") or b.get("thinking") or "") for b in blocks if b.get("type") in REASONING)


REASONING = ("reasoning", "thinking")


def _placed(block: Mapping[str, Any], at: int, index: int) -> Part:
    """Write a block; an error says where it stands."""
    try:
        return _part(block)
    except ConfigurationError as error:
        place = f"messages[{at}] block {index} ({str(block.get('type') or 'no type')[:40]})"
        raise ConfigurationError(f"{place}: {error.message}") from None


def _part(block: Mapping[str, Any]) -> Part:
    kind = block.get("type")
    if kind is None and "text" in block:
        kind = "text"
    write = WRITERS.get(str(kind))
    if write is None and kind not in PARTS:
        raise ConfigurationError(
            "this type has no counterpart in vLLM: leave the block out, give it as text, an image, audio or video, or, if "
            'the server knows the type, as {"type": "non_standard", "value": block}'
        )
    part = write(block) if write else dict(block)
    if uuid := block.get("uuid") or (block.get("extras") or {}).get("uuid"):
        part["uuid"] = uuid
    return part


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _text_block(block: Mapping[str, Any]) -> Part:
    return _text(str(block.get("text") or block.get("refusal") or ""))


def _plain_text(block: Mapping[str, Any]) -> Part:
    """Write a text document, which may hold its text as it is or in base64."""
    if isinstance(block.get("text"), str):
        return _text_block(block)
    data, _ = _data(_unpacked(block))
    if data is None:
        raise ConfigurationError('it needs "text" or "base64": nothing is downloaded, so give what is in it')
    return _decoded(data)


def _decoded(data: str) -> Part:
    try:
        return _text(base64.b64decode(data, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise ConfigurationError("its data is no base64 of UTF-8 text: encode it so, or give its text") from None


def _non_standard(block: Mapping[str, Any]) -> Part:
    value = block.get("value")
    if not isinstance(value, Mapping) or "type" not in value:
        raise ConfigurationError('it needs a "value" with a "type" that vLLM knows')
    return dict(value)


def _media(modality: str) -> Callable[[Mapping[str, Any]], Part]:
    """Make the writer of a standard image, audio or video block."""

    def write(block: Mapping[str, Any]) -> Part:
        data, mime = _data(block)
        if modality == "audio" and data is not None:
            return {"type": "input_audio", "input_audio": {"data": data, "format": _audio_format(mime)}}
        url = _url(block) if data is None else f"data:{mime or DEFAULT_MIME[modality]};base64,{data}"
        if not url:
            raise ConfigurationError('it needs "url" or "base64": vLLM stores no files, so a file id means nothing')
        detail = block.get("detail") or (block.get("extras") or {}).get("detail")
        inner = {"url": url, "detail": detail} if detail and modality == "image" else {"url": url}
        return {"type": f"{modality}_url", f"{modality}_url": inner}

    return write


DEFAULT_MIME = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4"}


def _data(block: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Find base64 data and its MIME type in a standard block, an older one or Anthropic's."""
    source = block.get("source")
    if isinstance(source, Mapping):
        data, mime = source.get("data"), source.get("media_type") or source.get("mime_type")
    else:
        data, mime = block.get("base64") or block.get("data"), block.get("mime_type")
    if data is not None and not isinstance(data, str):
        raise ConfigurationError("its data must be a base64 string: base64.b64encode(data).decode()")
    return data, mime


def _url(block: Mapping[str, Any]) -> Any:
    """Find the URL in a standard block, OpenAI's or Anthropic's."""
    source = block.get("source")
    return source.get("url") if isinstance(source, Mapping) else block.get("url") or block.get("file_url")


def _audio_format(mime: str | None) -> str:
    subtype = (mime or DEFAULT_MIME["audio"]).partition("/")[2].partition(";")[0]
    return AUDIO_FORMATS.get(subtype, subtype)


def _raw_url(kind: str) -> Callable[[Mapping[str, Any]], Part]:
    """Make the writer of a part in OpenAI's shape, whose URL may be bare."""

    def write(block: Mapping[str, Any]) -> Part:
        inner = block.get(kind)
        if isinstance(inner, str):
            inner = {"url": inner}
        return {"type": kind, kind: dict(inner) if isinstance(inner, Mapping) else inner}

    return write


def _file(block: Mapping[str, Any]) -> Part:
    """Write a file whose kind vLLM takes: an image, audio, video or text."""
    block = _unpacked(block)
    if (text := _plain(block)) is not None:
        return _text(text)
    data, mime = _data(block)
    if mime == PDF and data is not None and not data.startswith(PDF_BEGINS):
        mime = _named_type(block) or mime
    modality, _, _ = (mime or "").partition("/")
    if modality in DEFAULT_MIME:
        return _media(modality)({**block, "mime_type": mime})
    if modality == "text" and data is not None:
        return _decoded(data)
    if data is None and _url(block):
        raise ConfigurationError("a file given by its URL is not downloaded: give its data, or its text")
    if data is None:
        raise ConfigurationError("vLLM stores no files, so a file id means nothing: give the file's data, or its text")
    raise ConfigurationError(
        f"vLLM takes no files of the type {mime or 'unknown'}: pass text, images, audio or video, "
        "or turn the file into one of them first"
    )


PDF = "application/pdf"
PDF_BEGINS = base64.b64encode(b"%PDF-").decode()[:6]


def _named_type(block: Mapping[str, Any]) -> str | None:
    """Tell a file's type by its name: langchain-core calls every file in OpenAI's shape a PDF."""
    name = block.get("filename") or (block.get("extras") or {}).get("filename")
    return mimetypes.guess_type(name)[0] if isinstance(name, str) else None


def _plain(block: Mapping[str, Any]) -> str | None:
    """Find the text of a file that is given as text, in an older standard block or Anthropic's document."""
    source = block.get("source")
    if not isinstance(source, Mapping):
        return block["text"] if isinstance(block.get("text"), str) else None
    given = source.get("content") if source.get("type") == "content" else source.get("data")
    if source.get("type") not in ("content", "text"):
        return None
    blocks = [{"text": given}] if isinstance(given, str) else given or ()
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    if not texts or len(texts) < len(blocks):
        raise ConfigurationError("a document of blocks may hold text alone: give other blocks beside it")
    return "\n".join(texts)


def _unpacked(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read OpenAI's `{"file_data": "data:application/pdf;base64,…"}`, or a URL like it, as a standard block."""
    inner = block.get("file")
    given = inner if isinstance(inner, Mapping) else block
    url = _url(given)
    packed = url if isinstance(url, str) and url[:5].lower() == "data:" else given.get("file_data")
    if not isinstance(packed, str):
        return given
    head, found, data = packed.partition(";base64,")
    return {"base64": data if found else packed, "mime_type": head[5:] if found else _named_type(given)}


def _input_image(block: Mapping[str, Any]) -> Part:
    """Write an image of OpenAI's Responses API, whose URL is bare."""
    return _media("image")({"url": block.get("image_url"), "detail": block.get("detail")})


WRITERS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text_block,
    "text-plain": _plain_text,
    "input_text": _text_block,
    "output_text": _text_block,
    "refusal": _text_block,
    "image": _media("image"),
    "audio": _media("audio"),
    "video": _media("video"),
    "file": _file,
    "input_file": _file,
    "input_image": _input_image,
    "document": _file,
    "image_url": _raw_url("image_url"),
    "audio_url": _raw_url("audio_url"),
    "video_url": _raw_url("video_url"),
    "non_standard": _non_standard,
}
"""How each block is written."""

PARTS = frozenset({"audio_embeds", "image_embeds", "image_pil", "input_audio", "prompt_embeds", "video_embeds"})
"""Types of vLLM's own that are sent as they are."""

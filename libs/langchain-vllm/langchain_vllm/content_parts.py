"""Content blocks, and the content parts of vLLM's chat endpoint.

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

NOT_CONTENT = frozenset(
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
"""Types of blocks that are not content on the wire: calls and reasoning have their own fields."""

AUDIO_FORMATS = {"mpeg": "mp3", "mp3": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
"""Audio formats by MIME subtype, where the two differ."""


def to_text_or_parts(content: str | Iterable[Block], *, position: int, separator: str = "\n") -> str | list[Part]:
    """Convert a message's content.

    Args:
        content: A string, or a list of strings and blocks.
        position: The message's position in the conversation, for errors.
        separator: The text between text blocks.

    Returns:
        A string if all of it is text, which every chat template accepts; else a list of parts.

    Raises:
        ConfigurationError: vLLM has no part for a block; the error names the message and the block.
    """
    if isinstance(content, str):
        return content
    parts = to_parts(content, position=position)
    if all(part["type"] == "text" for part in parts):
        return separator.join(part["text"] for part in parts)
    return parts


def to_parts(content: Iterable[Block], *, position: int) -> list[Part]:
    """Convert blocks to parts; blocks of calls and reasoning are left out."""
    parts = []
    for index, block in enumerate(content):
        if isinstance(block, str):
            parts.append(_text(block))
        elif block.get("type") not in NOT_CONTENT:
            parts.append(_located_part(block, position, index))
    return parts


def reasoning_text(content: str | Iterable[Block]) -> str:
    """Join the reasoning in reasoning blocks."""
    if isinstance(content, str):
        return ""
    blocks = [block for block in content if isinstance(block, Mapping)]
    return "".join(str(b.get("reasoning") or b.get("thinking") or "") for b in blocks if b.get("type") in REASONING)


REASONING = ("reasoning", "thinking")


def _located_part(block: Mapping[str, Any], position: int, index: int) -> Part:
    """Convert a block; an error names its position."""
    try:
        return _part(block)
    except ConfigurationError as error:
        location = f"messages[{position}] block {index} ({str(block.get('type') or 'no type')[:40]})"
        raise ConfigurationError(f"{location}: {error.message}") from None


def _part(block: Mapping[str, Any]) -> Part:
    kind = block.get("type")
    if kind is None and "text" in block:
        kind = "text"
    convert = CONVERTERS.get(str(kind))
    if convert is None and kind not in PARTS:
        raise ConfigurationError(
            "vLLM has no content part of this type: remove the block, send it as text, image, audio or video, or, if the server "
            'supports the type, as {"type": "non_standard", "value": block}'
        )
    part = convert(block) if convert else dict(block)
    if uuid := block.get("uuid") or (block.get("extras") or {}).get("uuid"):
        part["uuid"] = uuid
    return part


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _text_block(block: Mapping[str, Any]) -> Part:
    return _text(str(block.get("text") or block.get("refusal") or ""))


def _plain_text(block: Mapping[str, Any]) -> Part:
    """Convert a text document, whose text may be plain or in base64."""
    if isinstance(block.get("text"), str):
        return _text_block(block)
    data, _ = _data(_unwrapped(block))
    if data is None:
        raise ConfigurationError('it has no data: pass "text" or "base64"; documents are not downloaded from URLs')
    return _decoded(data)


def _decoded(data: str) -> Part:
    try:
        return _text(base64.b64decode(data, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise ConfigurationError(
            "its data is not base64-encoded UTF-8 text: encode it that way, or pass its text"
        ) from None


def _non_standard(block: Mapping[str, Any]) -> Part:
    value = block.get("value")
    if not isinstance(value, Mapping) or "type" not in value:
        raise ConfigurationError('a "value" with a "type" that vLLM supports is required')
    return dict(value)


def _media(modality: str) -> Callable[[Mapping[str, Any]], Part]:
    """Return the converter of standard image, audio or video blocks."""

    def convert(block: Mapping[str, Any]) -> Part:
        data, mime = _data(block)
        if modality == "audio" and data is not None:
            return {"type": "input_audio", "input_audio": {"data": data, "format": _audio_format(mime)}}
        url = _url(block) if data is None else f"data:{mime or DEFAULT_MIME[modality]};base64,{data}"
        if not url:
            raise ConfigurationError(
                'it has no data: pass "url" or "base64"; vLLM stores no files, so file ids are not supported'
            )
        detail = block.get("detail") or (block.get("extras") or {}).get("detail")
        inner = {"url": url, "detail": detail} if detail and modality == "image" else {"url": url}
        return {"type": f"{modality}_url", f"{modality}_url": inner}

    return convert


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
    """Return the converter of parts in OpenAI's format, whose URL may be a plain string."""

    def convert(block: Mapping[str, Any]) -> Part:
        inner = block.get(kind)
        if isinstance(inner, str):
            inner = {"url": inner}
        return {"type": kind, kind: dict(inner) if isinstance(inner, Mapping) else inner}

    return convert


def _file(block: Mapping[str, Any]) -> Part:
    """Convert a file, if it is an image, audio, video or text."""
    block = _unwrapped(block)
    if (text := _plain(block)) is not None:
        return _text(text)
    data, mime = _data(block)
    if mime == PDF and data is not None and not data.startswith(PDF_PREFIX):
        mime = _type_by_name(block) or mime
    modality, _, _ = (mime or "").partition("/")
    if modality in DEFAULT_MIME:
        return _media(modality)({**block, "mime_type": mime})
    if modality == "text" and data is not None:
        return _decoded(data)
    if data is None and _url(block):
        raise ConfigurationError("files are not downloaded from URLs: pass the file's data, or its text")
    if data is None:
        raise ConfigurationError(
            "vLLM stores no files, so file ids are not supported: pass the file's data, or its text"
        )
    raise ConfigurationError(
        f"vLLM does not accept files of type {mime or 'unknown'}: pass text, images, audio or video, "
        "or convert the file to one of them first"
    )


PDF = "application/pdf"
PDF_PREFIX = base64.b64encode(b"%PDF-").decode()[:6]


def _type_by_name(block: Mapping[str, Any]) -> str | None:
    """Guess a file's type from its name: langchain-core calls every file in OpenAI's format a PDF."""
    name = block.get("filename") or (block.get("extras") or {}).get("filename")
    return mimetypes.guess_type(name)[0] if isinstance(name, str) else None


def _plain(block: Mapping[str, Any]) -> str | None:
    """Return the text of a file that was passed as text, in an older standard block or Anthropic's document."""
    source = block.get("source")
    if not isinstance(source, Mapping):
        return block["text"] if isinstance(block.get("text"), str) else None
    given = source.get("content") if source.get("type") == "content" else source.get("data")
    if source.get("type") not in ("content", "text"):
        return None
    blocks = [{"text": given}] if isinstance(given, str) else given or ()
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    if not texts or len(texts) < len(blocks):
        raise ConfigurationError("a document made of blocks may contain text only: pass other blocks next to it")
    return "\n".join(texts)


def _unwrapped(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert OpenAI's `{"file_data": "data:application/pdf;base64,…"}`, or a data URL, to a standard block."""
    inner = block.get("file")
    given = inner if isinstance(inner, Mapping) else block
    url = _url(given)
    packed = url if isinstance(url, str) and url[:5].lower() == "data:" else given.get("file_data")
    if not isinstance(packed, str):
        return given
    head, found, data = packed.partition(";base64,")
    return {"base64": data if found else packed, "mime_type": head[5:] if found else _type_by_name(given)}


def _input_image(block: Mapping[str, Any]) -> Part:
    """Convert an image of OpenAI's Responses API, whose URL is a plain string."""
    return _media("image")({"url": block.get("image_url"), "detail": block.get("detail")})


CONVERTERS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
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
"""The converter of each type of block."""

PARTS = frozenset({"audio_embeds", "image_embeds", "image_pil", "input_audio", "prompt_embeds", "video_embeds"})
"""Types of vLLM's content parts that are sent unchanged."""

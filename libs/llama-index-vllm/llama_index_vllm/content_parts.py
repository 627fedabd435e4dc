r"""Content blocks, and the content of a message in OpenAI's format.

Text only is a string, which every chat template accepts: `[TextBlock(text="Hi")]` is `"Hi"`. With anything else it is
a list of parts, `[{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": …}}]`.
Source: ChatCompletionContentPartParam (entrypoints/chat_utils.py, vLLM 0.32.0).
"""

import base64
import mimetypes
from collections.abc import Callable, Iterable
from functools import singledispatch
from io import IOBase
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from vllm_connect import ConfigurationError

__all__ = ["to_content"]

TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
"""Media types of documents that are sent as text."""

MEDIA = ("image", "audio", "video")
"""Kinds of media that vLLM accepts by URL."""

UNKNOWN_MEDIA = "application/octet-stream"

Part = dict[str, Any]


def to_content(blocks: Iterable[Any], *, position: int = 0) -> str | list[Part] | None:
    r"""Convert the blocks of a message to its content.

    Args:
        blocks: Content blocks; those of thinking, tool calls and cache points are left out.
        position: The message's position in the conversation, for errors.

    Returns:
        A string if all of it is text, the blocks joined by `\n`; else a list of parts; None if there is no content.

    Raises:
        ConfigurationError: A block cannot be sent to vLLM; the error names the message and the block, and says what to do.
    """
    parts = [part for index, block in enumerate(blocks) for part in _located_parts(block, position, index)]
    if not parts:
        return None
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _located_parts(block: object, position: int, index: int) -> list[Part]:
    """Convert a block; an error names its position."""
    try:
        return _parts(block)
    except ConfigurationError as error:
        location = f"messages[{position}] block {index} ({type(block).__name__})"
        raise ConfigurationError(f"{location}: {error.message}") from None


@singledispatch
def _parts(block: object) -> list[Part]:
    raise ConfigurationError(
        f"vLLM does not accept a {type(block).__name__}: send its text, image, audio or video instead"
    )


@_parts.register(CachePoint)  # vLLM caches prefixes by itself
@_parts.register(ThinkingBlock)  # has its own field
@_parts.register(ToolCallBlock)  # has its own field
def _no_content(_block: object) -> list[Part]:
    return []


@_parts.register
def _text(block: TextBlock) -> list[Part]:
    return [{"type": "text", "text": block.text}]


@_parts.register
def _image(block: ImageBlock) -> list[Part]:
    url = _url(block.url) or _data_url(block, block.resolve_image, block.image_mimetype)
    detail = {"detail": block.detail} if block.detail else {}
    return [{"type": "image_url", "image_url": {"url": url, **detail}}]


@_parts.register
def _video(block: VideoBlock) -> list[Part]:
    url = _url(block.url) or _data_url(block, block.resolve_video, block.video_mimetype)
    return [{"type": "video_url", "video_url": {"url": url}}]


@_parts.register
def _audio(block: AudioBlock) -> list[Part]:
    if url := _url(block.url):
        return [{"type": "audio_url", "audio_url": {"url": url}}]
    suffix = block.path.suffix[1:] if block.path else ""
    audio = {"data": _base64(block.resolve_audio), "format": block.format or suffix or "wav"}
    return [{"type": "input_audio", "input_audio": audio}]


@_parts.register
def _document(block: DocumentBlock) -> list[Part]:
    """Convert a document that is text or media; vLLM has no content part for files."""
    media_type = block.document_mimetype
    if block.url and not (block.data or block.path or block.url.startswith("data:")):
        raise ConfigurationError("documents are not downloaded from URLs: read it and pass its data")
    modality = (media_type or "").partition("/")[0]
    if modality in MEDIA:
        kind = f"{modality}_url"
        return [{"type": kind, kind: {"url": f"data:{media_type};base64,{_base64(block.resolve_document)}"}}]
    if media_type and not media_type.startswith(TEXTUAL):
        raise ConfigurationError(
            f"vLLM does not accept documents of type {media_type}: extract the text into a TextBlock, or render ImageBlocks"
        )
    try:
        text = _bytes(block.resolve_document).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(
            "it is not UTF-8 text: extract its text into a TextBlock, or render ImageBlocks"
        ) from None
    return [{"type": "text", "text": text}]


@_parts.register
def _citable(block: CitableBlock) -> list[Part]:
    return [part for nested in block.content for part in _parts(nested)]


@_parts.register
def _citation(block: CitationBlock) -> list[Part]:
    return _parts(block.cited_content)


def _url(url: object) -> str | None:
    return None if url is None else str(url)


def _bytes(resolve: Callable[[], IOBase]) -> bytes:
    """Read a block's bytes from memory or from its file."""
    try:
        data: bytes = resolve().read()
    except OSError as error:
        raise ConfigurationError(f"its file cannot be read ({type(error).__name__}): check the path") from None
    except ValueError as error:
        raise ConfigurationError(f"it has no data ({error}): pass its data, a path or a URL") from None
    return data


def _base64(resolve: Callable[[], IOBase]) -> str:
    """Read a block's bytes as base64; the block's own conversion to base64 ignores open files."""
    return base64.b64encode(_bytes(resolve)).decode("ascii")


def _data_url(block: ImageBlock | VideoBlock, resolve: Callable[..., IOBase], media_type: str | None) -> str:
    if media_type is None and block.path is not None:
        media_type = mimetypes.guess_type(Path(block.path).name)[0]
    return f"data:{media_type or UNKNOWN_MEDIA};base64,{_base64(resolve)}"

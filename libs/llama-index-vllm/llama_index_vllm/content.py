r"""Content blocks, and the content of a message in OpenAI's shape.

Text alone is a string, which every chat template takes: `[TextBlock(text="Hi")]` is `"Hi"`. With anything beside text
it is a list of parts, `[{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": …}}]`.
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
"""Media types of documents that can go into a prompt as they are."""

MEDIA = ("image", "audio", "video")
"""Kinds of media that vLLM takes by URL."""

UNKNOWN_MEDIA = "application/octet-stream"

Part = dict[str, Any]


def to_content(blocks: Iterable[Any], *, at: int = 0) -> str | list[Part] | None:
    r"""Turn the blocks of a message into its content.

    Args:
        blocks: Content blocks; those of thinking, tool calls and cache points are passed over.
        at: The message's index, for errors.

    Returns:
        A string where all is text, the blocks joined by `\n`; else a list of parts; None where nothing is content.

    Raises:
        ConfigurationError: A block cannot be sent to vLLM; the message says which block of which message, and what to do.
    """
    parts = [part for index, block in enumerate(blocks) for part in _placed(block, at, index)]
    if not parts:
        return None
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _placed(block: object, at: int, index: int) -> list[Part]:
    """Write a block; an error says where it stands."""
    try:
        return _parts(block)
    except ConfigurationError as error:
        place = f"messages[{at}] block {index} ({type(block).__name__})"
        raise ConfigurationError(f"{place}: {error.message}") from None


@singledispatch
def _parts(block: object) -> list[Part]:
    raise ConfigurationError(f"vLLM takes no {type(block).__name__}: send its text, image, audio or video instead")


@_parts.register(CachePoint)  # vLLM caches prefixes by itself
@_parts.register(ThinkingBlock)  # goes into a field of its own
@_parts.register(ToolCallBlock)  # goes into a field of its own
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
    """Read a document that is text, or media that vLLM has a part for; it has none for files."""
    media_type = block.document_mimetype
    if block.url and not (block.data or block.path or block.url.startswith("data:")):
        raise ConfigurationError("it has a URL, and nothing is downloaded here: read it and give its data")
    modality = (media_type or "").partition("/")[0]
    if modality in MEDIA:
        kind = f"{modality}_url"
        return [{"type": kind, kind: {"url": f"data:{media_type};base64,{_base64(block.resolve_document)}"}}]
    if media_type and not media_type.startswith(TEXTUAL):
        raise ConfigurationError(
            f"vLLM takes no documents of type {media_type}: extract the text into a TextBlock, or render ImageBlocks"
        )
    try:
        text = _bytes(block.resolve_document).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(
            "it is no UTF-8 text: extract its text into a TextBlock, or render ImageBlocks"
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
    """Read a block's bytes, from memory or its file."""
    try:
        data: bytes = resolve().read()
    except OSError as error:
        raise ConfigurationError(f"its file cannot be read ({type(error).__name__}): check the path") from None
    except ValueError as error:
        raise ConfigurationError(f"it has nothing to send ({error}): give its data, a path or a URL") from None
    return data


def _base64(resolve: Callable[[], IOBase]) -> str:
    """Read a block's bytes as base64; resolving to base64 leaves an open file's bytes as they are."""
    return base64.b64encode(_bytes(resolve)).decode("ascii")


def _data_url(block: ImageBlock | VideoBlock, resolve: Callable[..., IOBase], media_type: str | None) -> str:
    if media_type is None and block.path is not None:
        media_type = mimetypes.guess_type(Path(block.path).name)[0]
    return f"data:{media_type or UNKNOWN_MEDIA};base64,{_base64(resolve)}"

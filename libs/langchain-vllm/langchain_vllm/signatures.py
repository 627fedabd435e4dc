"""Signatures that are read once: LangChain asks for that of `_generate` in every call.

`inspect.signature` looks for `__signature__` first (PEP 362).
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["signed"]

Method = TypeVar("Method", bound=Callable[..., Any])


def signed(method: Method) -> Method:
    """Keep a method's signature on it."""
    method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined] # functions take attributes
    return method

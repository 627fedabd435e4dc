"""A call that broke: what is left of it is read as its arguments, so that the next call is found."""

from vllm_connect.parsing.scanner import Reading, Scanner

__all__ = ["skip_broken_call"]


def skip_broken_call(scanner: Scanner, call_ends: tuple[str, ...], following: tuple[str, ...]) -> Reading[bool]:
    """Read the rest of a broken call as its arguments; return False if the text ends before the call does.

    Args:
        scanner: The scanner.
        call_ends: Markers that end the call.
        following: Markers that may follow a call, and are left for the caller.
    """
    mark = yield from scanner.forward_until((*call_ends, *following), scanner.emit_arguments)
    if mark in following:
        scanner.unread(mark)
    scanner.break_call()
    return bool(mark)

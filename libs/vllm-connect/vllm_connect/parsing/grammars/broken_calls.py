"""What is left of a call that broke, which is read as its arguments so that the next call is found; and empty blocks."""

from vllm_connect.parsing.scanner import Reading, Scanner

__all__ = ["end_broken_call", "skip_broken_call", "skip_empty_block"]


def skip_broken_call(scanner: Scanner, call_ends: tuple[str, ...], following: tuple[str, ...]) -> Reading[bool]:
    """Read the rest of a broken call as its arguments; return False if the text ends before the call does.

    Args:
        scanner: The scanner.
        call_ends: Markers that end the call.
        following: Markers that may follow a call, and are left for the caller.
    """
    mark = yield from scanner.forward_until((*call_ends, *following), scanner.emit_arguments)
    return bool(mark) and (yield from _end_call(scanner, mark, is_part=mark in call_ends))


def end_broken_call(scanner: Scanner, call_ends: tuple[str, ...]) -> Reading[bool]:
    """Read an end marker right after a broken call, which ends it; return whether there was one."""
    if not call_ends or not scanner.in_call:
        return False
    yield from scanner.skip_whitespace()
    mark = yield from scanner.accept(*call_ends)
    return bool(mark) and (yield from _end_call(scanner, mark, is_part=True))


def _end_call(scanner: Scanner, mark: str, *, is_part: bool) -> Reading[bool]:
    """End the broken call before a marker that was consumed, which may be a part of it."""
    scanner.unread(mark)
    scanner.break_call()
    if is_part:
        yield from scanner.accept(mark)
        scanner.drop_markup()
    return True


def skip_empty_block(scanner: Scanner, end_markers: tuple[str, ...]) -> Reading[bool]:
    """Read the end of a block that has nothing in it, after its start marker; return whether it has."""
    if not end_markers:
        return False
    yield from scanner.skip_whitespace()
    if not (yield from scanner.accept(*end_markers)):
        return False
    scanner.drop_empty_block()
    return True

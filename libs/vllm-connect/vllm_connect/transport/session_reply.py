"""An answer whose body comes through aiohttp, every wait for it under the alarm of the call."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from vllm_connect.transport.deadline_timer import Alarm
from vllm_connect.transport.error_mapping import Place
from vllm_connect.transport.message import GRACE, Body, Head

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["SessionReply"]


class SessionReply:
    """An answer whose body comes through aiohttp.

    Args:
        response: The response, of which only the headers were read.
        head: Its head.
        place: Where the call is.
        alarm: Watches the waits.
    """

    def __init__(self, response: "ClientResponse", head: Head, place: Place, alarm: Alarm) -> None:
        self.status = head.status
        self.headers = head.headers
        self.request_id = head.request_id
        self._response = response
        self._place = place
        self._body = Body(head, place)
        self._pieces: Iterator[bytes] = iter(())
        self._alarm = alarm
        self._expired: str | None = None
        self._unread = b""
        alarm.watch(place.deadlines.next_deadline, self._expire)

    def __aiter__(self) -> "SessionReply":
        return self

    async def __anext__(self) -> bytes:
        """Read on; each piece is all that has come since the last.

        Raises:
            TransportError: The body was cut, or a timer ran out.
            ProtocolError: The body is too large, or not what its headers say.
        """
        while True:
            for piece in self._pieces:
                return piece
            problem = None
            try:
                data = await self._response.content.readany()
            except Exception as error:
                problem = self._place.failed(error)
                if problem is None:
                    raise
                data = b""
            if self._expired is not None and not data:
                data, self._unread = self._unread, b""
                problem = None if data else self._place.timed_out(self._expired)
            if problem is not None:
                raise problem.with_traceback(None)
            if not data:
                self._body.end()
                raise StopAsyncIteration
            self._pieces = iter(self._body.unpack(data))

    async def finish(self) -> None:
        """Wait shortly for an end that is about to come, so that the connection can serve again."""
        content = self._response.content
        if content.at_eof():
            return
        self._alarm.stop()
        grace = asyncio.get_running_loop().call_later(GRACE, self._abort)
        try:
            await content.readany()
        except Exception as error:
            if self._place.failed(error) is None:
                raise
        finally:
            grace.cancel()

    def close(self) -> None:
        """Give the connection back if the body was read to its end, close it otherwise so that the server sees it."""
        self._alarm.stop()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._abort()
            self._response.close()

    def _expire(self, phase: str) -> None:
        """Let the server go, and make room for another call; what has come can still be read."""
        content = self._response.content
        if content.is_eof() or content.exception() is not None:
            return
        self._expired = phase
        with suppress(RuntimeError):  # somebody waits for data: there is none
            self._unread = content.read_nowait()
        self._abort()
        self._response.close()

    def _abort(self) -> None:
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

r"""A server on the loopback interface that answers from recordings or from a script, over a real socket.

Recordings are cassettes of vcrpy (https://vcrpy.readthedocs.io). A stream is stored whole and sent in pieces:

    with replay("cassettes/weather.yaml") as server:
        ChatVllm(base_url=server.url, model="demo").invoke("What is the weather in Paris?")

A script needs no recording; a list is a stream, so `script([{"choices": [...]}])` sends
`data: {"choices":[...]}\n\ndata: [DONE]\n\n`. `record` stands between a client and a real server and writes a cassette.
"""

from vllm_connect.testing.exchanges import Answer, Asked, Recording, Size, pieces
from vllm_connect.testing.loopback import LoopbackServer
from vllm_connect.testing.recordings import read, record, replay
from vllm_connect.testing.scripts import script

__all__ = ["Answer", "Asked", "LoopbackServer", "Recording", "Size", "pieces", "read", "record", "replay", "script"]

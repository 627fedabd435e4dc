"""Who is measured, and which interpreter has them.

A subject is a class in a file of its own, imported only by the process that measures it. It has some of the methods of
`Subject`; what it lacks is not measured.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, Protocol

__all__ = ["SUBJECTS", "Subject", "Where"]


class Subject(Protocol):
    """A client, or a bound of what clients can reach; `url` is the server's address with a workload's path."""

    def stream(self, url: str, tools: bool) -> Iterator[Any]:
        """Ask for a stream; give the client's own chunks."""
        ...

    async def astream(self, url: str, tools: bool) -> AsyncIterator[Any]:
        """Do the same without blocking."""
        ...

    def text(self, chunk: Any) -> str:
        """Read the text of a chunk."""
        ...

    def call(self, url: str) -> Any:
        """Ask for a whole answer."""
        ...

    async def acall(self, url: str, times: int) -> Any:
        """Ask for answers at once."""
        ...

    def history(self, new: bool) -> Any:
        """Prepare a long conversation with many tools; `new` makes all its objects anew."""
        ...

    def call_history(self, url: str, history: Any) -> Any:
        """Ask for a whole answer to it."""
        ...

    def construct(self, url: str) -> Any:
        """Make a model object."""
        ...


class Where(NamedTuple):
    """Where a subject is.

    Attributes:
        environment: The virtual environment's folder.
        module: The module under `tests.bench`.
        name: The class.
        imports: What a program writes to have it, and what of its framework it needs in any case.
    """

    environment: str
    module: str
    name: str
    imports: tuple[str, str] | None = None


OWN, PEERS, PEERS_LI = ".venv", ".venv-peers", ".venv-peers-llamaindex"
LANGCHAIN = "from langchain_core.language_models import BaseChatModel"
LLAMAINDEX = "import llama_index.core"

SUBJECTS = {
    "ChatVllm": Where(OWN, "ours_langchain", "Ours", ("from langchain_vllm import ChatVllm", LANGCHAIN)),
    "ChatVllm, a chunk an event": Where(OWN, "ours_langchain", "OursApart"),
    "ChatVllm, uvloop": Where(PEERS, "ours_langchain", "OursUvloop"),
    "ChatOpenAI": Where(PEERS, "peer_langchain", "Peer", ("from langchain_openai import ChatOpenAI", LANGCHAIN)),
    "LangChain, chunks built": Where(OWN, "floors", "LangChainBuilds"),
    "LangChain, chunks ready": Where(OWN, "floors", "LangChainReady"),
    "VllmLLM": Where(OWN, "ours_llamaindex", "Ours", ("from llama_index_vllm import VllmLLM", LLAMAINDEX)),
    "VllmLLM, a chunk an event": Where(OWN, "ours_llamaindex", "OursApart"),
    "OpenAILike": Where(
        PEERS_LI, "peer_llamaindex", "Peer", ("from llama_index.llms.openai_like import OpenAILike", LLAMAINDEX)
    ),
    "LlamaIndex, responses built": Where(OWN, "floors", "LlamaIndexBuilds"),
    "openai": Where(PEERS, "bare_openai", "Bare"),
    "httpx": Where(OWN, "bare", "Httpx"),
    "aiohttp": Where(OWN, "bare", "Aiohttp"),
    "socket": Where(OWN, "bare", "Socket"),
}

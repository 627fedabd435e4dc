"""`OpenAILike`."""

from llama_index.llms.openai_like import OpenAILike

from tests.bench.llamaindex_calls import LlamaIndexSubject

__all__ = ["Peer"]


class Peer(LlamaIndexSubject):
    """As it comes."""

    def construct(self, url: str) -> OpenAILike:
        return OpenAILike(
            api_base=f"{url}/v1", model="m", api_key="sk", is_chat_model=True, is_function_calling_model=True
        )

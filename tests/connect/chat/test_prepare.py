"""What is counted is what is sent."""

from vllm_connect import ChatRequest, MessagePolicy, VllmConfig
from vllm_connect.chat.endpoints import Endpoints

from tests.connect.chat.test_flow import TOOL, TWO_USERS, first_body


def test_the_messages_that_are_counted_are_those_that_are_sent() -> None:
    endpoints = Endpoints(VllmConfig(base_url="http://127.0.0.1:1"))
    endpoints.capabilities.of("m").message_policy = MessagePolicy(alternate=True)
    orphan = {"role": "tool", "tool_call_id": "gone", "content": "42"}
    request = ChatRequest(
        messages=[*TWO_USERS, orphan],
        model="m",
        tools=[TOOL],
        chat_template="{{ x }}",
        documents=[{"a": 1}],
        max_tokens=9,
    )
    counted = first_body(endpoints.count_tokens(request).steps)
    sent = first_body(endpoints.complete(request))
    assert len(counted["messages"]) == 1
    assert {name: sent[name] for name in ("model", "messages", "tools", "chat_template")} == {
        name: counted[name] for name in ("model", "messages", "tools", "chat_template")
    }
    assert counted["chat_template_kwargs"] == {"documents": [{"a": 1}]}
    assert "max_tokens" not in counted

"""Options beside constraints, on a real server."""

import pytest
from langchain_vllm import ChatVllm
from vllm_connect import ChatRequest, VllmClient, VllmConfig, mean_probability, sequence_logprob, token_entropies

pytestmark = pytest.mark.live
HELLO = [{"role": "user", "content": "Hello"}]


def test_probabilities_and_biases(flagged_server: str) -> None:
    with VllmClient(VllmConfig(base_url=flagged_server)) as client:
        choice = {"choice": ["up", "down"]}
        common = {"messages": HELLO, "structured_outputs": choice, "temperature": 0, "reasoning": False}
        plain = client.complete(ChatRequest(**common, logprobs=True, top_logprobs=3))
        assert plain.logprobs is not None
        assert sequence_logprob(plain.logprobs) <= 0
        assert 0 < mean_probability(plain.logprobs) <= 1
        assert all(entropy >= 0 for entropy in token_entropies(plain.logprobs))
        other = "down" if plain.text == "up" else "up"
        first = {word: client.token_bias({word: 100.0}) for word in ("up", "down")}
        only = {token: bias for token, bias in first[other].items() if token not in first[plain.text]}
        assert client.complete(ChatRequest(**common, logit_bias=only)).text == other


def test_several_answers_each_keep_the_promise(flagged_server: str) -> None:
    wanted = {"regex": "[0-9]{2}"}
    request = ChatRequest(messages=HELLO, structured_outputs=wanted, n=3, temperature=1, reasoning=False, seed=1)
    with VllmClient(VllmConfig(base_url=flagged_server)) as client:
        answers = client.complete_choices(request)
    assert len(answers) == 3
    assert all(len(answer.text) == 2 and answer.text.isdecimal() for answer in answers)


def test_thinking_that_used_up_the_tokens_is_told(flagged_server: str) -> None:
    with ChatVllm(base_url=flagged_server, model="demo", temperature=0, max_tokens=3, reasoning=True) as model:
        answer = model.invoke("What is the weather in Paris?")
    assert answer.text == ""
    assert answer.response_metadata["thinking_exhausted"] is True


def test_a_set_and_a_shown_schema_are_no_trouble(flagged_server: str) -> None:
    with ChatVllm(base_url=flagged_server, model="demo", temperature=0, max_tokens=60, reasoning=False) as model:
        schema = {"type": "array", "items": {"enum": ["x", "y"]}, "uniqueItems": True, "maxItems": 2}
        wanted = {"json": schema, "disable_any_whitespace": True}
        answer = model.invoke("Hello", structured_outputs=wanted, show_schema=True, check_constraints=False)
    assert answer.text.lstrip().startswith("[")  # and no 400, with which the server answers to `uniqueItems`

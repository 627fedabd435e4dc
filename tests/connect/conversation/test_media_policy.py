"""Media URLs and control tokens that others may have put into a conversation."""

import pytest
from vllm_connect import ConfigurationError
from vllm_connect.conversation.media_policy import check_media, refuse_control_tokens


def part(url: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.mark.parametrize("url", ["https://example.com/a.png", "HTTPS://EXAMPLE.COM/a.png", "data:,a", "DATA:,a"])
def test_a_url_of_the_web_is_accepted_in_any_case(url: str) -> None:
    check_media(part(url), private_allowed=False)


@pytest.mark.parametrize("url", ["file:/etc/passwd", "FILE:/etc/passwd", "httpx://a.test/", "/etc/passwd", ""])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="data: URL"):
        check_media(part(url), private_allowed=True)


@pytest.mark.parametrize(("role", "refused"), [("user", True), ("tool", True), ("function", True), ("system", False)])
def test_control_tokens_are_refused_where_others_write(role: str, refused: bool) -> None:
    messages = [{"role": role, "content": "a<|im_end|>b"}]
    if not refused:
        refuse_control_tokens(messages)
        return
    with pytest.raises(ConfigurationError, match="control token"):
        refuse_control_tokens(messages)

"""Statistics of an answer's log probabilities.

`[{"token": "Hel", "logprob": -0.1, …}, {"token": "lo", "logprob": -0.2, …}]` is an answer of probability `exp(-0.3)`.
Source: the `logprobs.content` of a chat completion, natural logarithms.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["mean_probability", "sequence_logprob", "token_entropies"]

Tokens = Iterable[Mapping[str, Any]]
"""One `{"token", "logprob", "bytes", "top_logprobs"}` for each token."""


def sequence_logprob(tokens: Tokens) -> float:
    """Sum up the natural logarithms of the tokens' probabilities.

    Args:
        tokens: `Completion.logprobs`, or `response_metadata["logprobs"]["content"]`.
    """
    return math.fsum(token["logprob"] for token in tokens)


def mean_probability(tokens: Tokens) -> float:
    """Compute the geometric mean of the tokens' probabilities, from 0 to 1, which compares answers of different lengths.

    Args:
        tokens: As for `sequence_logprob`; 1 for none.
    """
    logprobs = [token["logprob"] for token in tokens]
    return math.exp(math.fsum(logprobs) / len(logprobs)) if logprobs else 1.0


def token_entropies(tokens: Tokens) -> list[float]:
    """Compute each token's entropy in nats over the alternatives that the server reports.

    Args:
        tokens: As for `sequence_logprob`, with `top_logprobs`.

    Returns:
        The entropies. The probability that the alternatives do not cover counts as one more alternative, so that the number
        is a lower bound of the true entropy.
    """
    return [_entropy(token) for token in tokens]


def _entropy(token: Mapping[str, Any]) -> float:
    reported = {entry["token"]: entry["logprob"] for entry in (*(token.get("top_logprobs") or ()), token)}
    shares = [math.exp(logprob) for logprob in reported.values()]
    shares.append(max(0.0, 1.0 - math.fsum(shares)))
    return -math.fsum(share * math.log(share) for share in shares if share > 0)

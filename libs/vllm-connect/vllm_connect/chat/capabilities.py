"""What calls have taught about a server, and what follows for the next call."""

from vllm_connect.conversation.message_policy import MessagePolicy
from vllm_connect.profiles import Profile, find_profile

__all__ = ["ServerCapabilities"]


class ServerCapabilities:
    """What calls have taught about a server; shared by all clients of one model object.

    Attributes:
        roots: What is really served under each name; None before the server was asked.
        schemas: The schemas sent before, each by its hash, so that one is warned of once.
        takes_structural_tags: Whether a structural tag may be sent; a server that refuses one teaches otherwise.
    """

    def __init__(self) -> None:
        self._without_tool_parser: set[str | None] = set()
        self._eaten: set[str | None] = set()
        self._wants_strict: set[str | None] = set()
        self._policies: dict[str | None, MessagePolicy] = {}
        self.roots: dict[str, str] | None = None
        self.schemas: set[int] = set()
        self.takes_structural_tags = True

    def learn_no_tool_parser(self, model: str | None) -> None:
        """Remember that the server has no tool parser for a model."""
        self._without_tool_parser.add(model)

    def has_no_tool_parser(self, model: str | None) -> bool:
        """Tell whether the server is known to have no tool parser for a model."""
        return model in self._without_tool_parser

    def learn_eaten_calls(self, model: str | None) -> None:
        """Remember that the server's parser eats a model's calls."""
        self._eaten.add(model)

    def eats_calls(self, model: str | None) -> bool:
        """Tell whether the server's parser is known to eat a model's calls."""
        return model in self._eaten

    def learn_strict(self, model: str | None) -> None:
        """Remember that the server holds a forced call's arguments to their schema only where a tool is `strict`."""
        self._wants_strict.add(model)

    def wants_strict(self, model: str | None) -> bool:
        """Tell whether a forced call's arguments are known to be held only where a tool is `strict`."""
        return model in self._wants_strict

    def learn_policy(self, model: str | None, policy: MessagePolicy) -> None:
        """Remember in which order a model's template takes messages."""
        self._policies[model] = policy

    def policy(self, model: str | None) -> MessagePolicy:
        """Tell in which order a model's template takes messages: as learned, else as its family's do."""
        return self._policies.get(model) or self.profile(model).message_policy

    def _root(self, model: str | None) -> str | None:
        roots = self.roots or {}
        return roots.get(model) if model is not None else next(iter(roots.values()), None)

    def profile(self, model: str | None) -> Profile:
        """Return a model's profile: from what is served, else from its name."""
        return find_profile(self._root(model), model)

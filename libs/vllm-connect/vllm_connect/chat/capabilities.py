"""What calls have taught about a server, and what follows for the next call."""

from dataclasses import dataclass, field

from vllm_connect.conversation.message_policy import MessagePolicy
from vllm_connect.profiles import Profile, find_profile
from vllm_connect.protocol.server_info import ModelCard, ServerInfo

__all__ = ["ModelCapabilities", "ServerCapabilities"]


@dataclass
class ModelCapabilities:
    """What calls have taught about one served model; None and True where nothing else was learned.

    Attributes:
        has_tool_parser: Whether the server parses its tool calls; False once it has refused a request for that reason.
        drops_tool_calls: Whether the server's parser has deleted a call that it should have parsed.
        needs_strict_tools: Whether the server enforces the arguments of a forced call only where a tool is `strict`.
        fails_forced_calls: Whether the server's tool parser is not the model's: it left a call in the text, or no call came of
            a forced one.
        needs_constraint_tags: Whether constraints have to be structural tags: the server leaves the reasoning in the text, so
            that a grammar keeps the model from it, or an answer was nothing but whitespace.
        reasons_before_grammar: Whether the server splits the reasoning off and applies a grammar after it, as an answer under a
            grammar has shown.
        message_policy: What its chat template has complained about, and what that changes in a conversation.
        prompt_ends_in_reasoning: Whether its prompt ends inside the reasoning, by the arguments of the template; None if the
            server could not say.
    """

    has_tool_parser: bool = True
    drops_tool_calls: bool = False
    needs_strict_tools: bool = False
    fails_forced_calls: bool = False
    needs_constraint_tags: bool = False
    reasons_before_grammar: bool = False
    message_policy: MessagePolicy | None = None
    prompt_ends_in_reasoning: dict[str, bool | None] = field(default_factory=dict)


@dataclass
class ServerCapabilities:
    """What is known of a server; shared by all clients of one model object.

    Attributes:
        info: What the server says of itself; None before it was asked.
        models: The models that it serves; None before it was asked.
        accepts_structural_tags: Whether a structural tag may be sent; False once the server has refused one.
        checked_schemas: Hashes of the schemas that were checked, so that each is warned about once.
    """

    info: ServerInfo | None = None
    models: tuple[ModelCard, ...] | None = None
    accepts_structural_tags: bool = True
    checked_schemas: set[int] = field(default_factory=set)
    _by_model: dict[str | None, ModelCapabilities] = field(default_factory=dict)

    def of(self, model: str | None) -> ModelCapabilities:
        """Return what is known of a model; None is the server's first."""
        return self._by_model.setdefault(model, ModelCapabilities())

    def profile(self, model: str | None) -> Profile:
        """Return a model's profile: by what is served under its name, else by its name."""
        cards = self.models or ()
        served = next((card for card in cards if model in (None, card.id)), None)
        return find_profile(None if served is None else served.root or served.id, model)

    def message_policy(self, model: str | None) -> MessagePolicy:
        """Return what a model's chat template needs: as learned, else as its profile says."""
        return self.of(model).message_policy or self.profile(model).message_policy

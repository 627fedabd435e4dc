"""One retry budget for each server, shared by all clients of a process, blocking or not.

Two model objects of the same server face the same outage: their retries come out of one purse.
"""

from threading import Lock
from weakref import WeakValueDictionary

from vllm_connect.retry import RetryBudget

__all__ = ["budget_of"]

_budgets: "WeakValueDictionary[str, RetryBudget]" = WeakValueDictionary()
_lock = Lock()


def budget_of(base_url: str) -> RetryBudget:
    """Find or make the budget of a server.

    Args:
        base_url: The server's address, as the configuration has it.

    Returns:
        The budget; it lives as long as someone holds it.
    """
    with _lock:
        budget = _budgets.get(base_url)
        if budget is None:
            budget = _budgets[base_url] = RetryBudget()
        return budget

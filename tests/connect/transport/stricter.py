"""The table of what we refuse and other parsers accept: `python -m tests.connect.transport.stricter` writes it."""

from pathlib import Path

from tests.connect.transport.hostile import verdict_of_h11, verdict_of_http_client, verdict_of_llhttp
from tests.connect.transport.test_http1 import REFUSED_RESPONSES
from tests.pages import replace_section

PAGE = Path(__file__).parents[3] / "cookbook" / "http.md"
SECTION = "stricter"
WITNESSES = {
    "llhttp (Node.js)": verdict_of_llhttp,
    "h11 (httpx)": verdict_of_h11,
    "http.client": verdict_of_http_client,
}


def table() -> str:
    """Write a row for each response that we refuse and another parser does not."""
    lines = [f"| a response with | {' | '.join(WITNESSES)} |", "|---" * (len(WITNESSES) + 1) + "|"]
    for name, data in REFUSED_RESPONSES.items():
        verdicts = [
            each if isinstance(each, str) else "accepts" for each in (judge(data) for judge in WITNESSES.values())
        ]
        if "accepts" in verdicts:
            lines.append(
                f"| {name} | {' | '.join(each.replace('refused', 'refuses').replace('cut', 'waits') for each in verdicts)} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    replace_section(PAGE, SECTION, table())

"""Run a command against a real vLLM: `python -m tests.live.with_server [vLLM's flags] -- command ...`.

Starts a server and sets `VLLM_BASE_URL`, unless that is set already; the command's exit status is returned.
"""

import os
import subprocess
import sys

from tests.live.vllm_server import running


def main(arguments: list[str]) -> int:
    """Run the command."""
    split = arguments.index("--")
    flags, command = arguments[:split], arguments[split + 1 :]
    if os.environ.get("VLLM_BASE_URL"):
        return subprocess.run(command, check=False).returncode
    with running(flags) as url:
        return subprocess.run(command, check=False, env={**os.environ, "VLLM_BASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

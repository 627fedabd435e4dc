"""A real vLLM server for as long as it is needed.

`with running(["--reasoning-parser", "qwen3"]) as url:` starts `server/serve` on a free port, waits until it is healthy,
and stops it for good.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVE = Path(__file__).parent / "server" / "serve"
PATIENCE = 900.0
"""Seconds until the server must be healthy; the first start installs vLLM."""


@contextmanager
def running(flags: Sequence[str]) -> Iterator[str]:
    """Run a server.

    Args:
        flags: vLLM's own flags.

    Yields:
        Its base URL.

    Raises:
        RuntimeError: It did not become healthy; the message has the end of its log.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.NamedTemporaryFile(prefix="vllm-", suffix=".log") as log:
        print(f"starting vLLM on {url} {' '.join(flags)}", file=sys.stderr, flush=True)
        process = subprocess.Popen(
            [str(SERVE), "--port", str(port), *flags], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(process, url, Path(log.name))
            yield url
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"vLLM stopped with {process.returncode}:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"vLLM was not healthy within {PATIENCE:.0f} s:\n{_tail(log)}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for attempt in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, attempt)
        except ProcessLookupError:
            break
        try:
            process.wait(20)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])

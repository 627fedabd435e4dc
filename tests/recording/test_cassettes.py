"""No cassette is left over, and none holds a secret or names a machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CASSETTES, cassette_of

ROOT = Path(__file__).parents[2]
FILES = sorted(CASSETTES.rglob("*.yaml"))
SECRETS = {
    "a key": re.compile(r"\bsk-[A-Za-z0-9]|\bhf_[A-Za-z0-9]{8}"),
    "an authorization": re.compile(r"authorization|bearer |api[-_]key|set-cookie", re.IGNORECASE),
    "a canary": re.compile(r"canary|hunter2", re.IGNORECASE),
    "a folder of a machine": re.compile(r"/(?:home|root|work|tmp|Users|usr)/"),
}
ADDRESS = re.compile(r"https?://([^/\s\"'\\]+)")
PLACES = {"127.0.0.1", "json-schema.org"}


def test_every_recorded_test_has_its_cassette_and_no_cassette_is_left_over() -> None:
    listing = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/recorded", "tests/cookbook"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(listing, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    collected = {cassette_of(line) for line in done.stdout.splitlines() if "::" in line}
    assert len(FILES) > 100
    assert [str(file.relative_to(CASSETTES)) for file in FILES if file not in collected] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_no_secret_is_recorded(file: Path) -> None:
    text = file.read_text()
    assert [what for what, pattern in SECRETS.items() if pattern.search(text)] == []
    assert set(ADDRESS.findall(text)) <= PLACES
    kept = {line.strip() for line in re.findall(r"^    headers:.*\n(?:      \S.*\n)*", text, re.MULTILINE)}
    assert all(re.fullmatch(r"headers:(?: \{\}|\s+content-type:\s+- \S+(?:; charset=utf-8)?)", line) for line in kept)

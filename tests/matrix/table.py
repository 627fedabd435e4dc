"""The matrix as a table: `python -m tests.matrix.table --write` writes it to the documentation.

The column of the newest version is asked of a real server, which `VLLM_BASE_URL` names.
"""

import argparse
import asyncio
import os
import re
from pathlib import Path

from vllm_connect import VllmClient, VllmConfig, VllmError

from tests.matrix.features import FEATURES, Feature
from tests.matrix.older_servers import VERSIONS, older_server
from tests.matrix.ways import WAYS

__all__ = ["cells", "document"]

PAGE = Path(__file__).parents[2] / "cookbook" / "structured_output.md"
PLACE = re.compile(r"(?<=<!-- matrix -->\n).*?(?=<!-- end of matrix -->)", re.DOTALL)


def document() -> str:
    """Read the table of the documentation."""
    found = PLACE.search(PAGE.read_text())
    return found[0] if found else ""


def cells(table: str) -> list[list[str]]:
    """Read a table's rows, without its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


async def holds(url: str, feature: Feature, name: str) -> bool:
    """Check whether a feature works in a way, and print why if it does not."""
    try:
        return feature.kept(await WAYS[name](url, feature))
    except (VllmError, ValueError) as error:
        print(f"{feature.name}, {name}: {error}")
        return False


async def kept(url: str, feature: Feature) -> str:
    """Count the ways in which a feature works."""
    return f"{sum([await holds(url, feature, name) for name in WAYS])}/{len(WAYS)}"


async def table() -> str:
    """Run the matrix."""
    columns: dict[str, list[str]] = {}
    for version in VERSIONS:
        with older_server(version) as server:
            columns[version] = [await kept(server.url, feature) for feature in FEATURES]
    if url := os.environ.get("VLLM_BASE_URL"):
        with VllmClient(VllmConfig(base_url=url)) as client:
            version = ".".join(str(part) for part in client.server_info().version or ("newest",))
        columns[f"{version}, real"] = [await kept(url, feature) for feature in FEATURES]
    lines = [["feature", *columns], ["---"] * (len(columns) + 1)]
    lines += [[feature.name, *(column[i] for column in columns.values())] for i, feature in enumerate(FEATURES)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it to the documentation")
    text = asyncio.run(table())
    print(text)
    if parser.parse_args().write:
        PAGE.write_text(PLACE.sub(lambda _: text, PAGE.read_text()))


if __name__ == "__main__":
    main()

"""Both transports can be recorded and replayed with vcrpy, so that users and we can test without a server."""

from pathlib import Path

import vcr
from vllm_connect.config.config import VllmConfig

from tests.connect.transport.conftest import ASK, CHAT, OWN
from tests.faults.server import FaultServer, answer, stream


def test_record_and_replay(tmp_path: Path) -> None:
    for name, carry in OWN.items():
        recorder = vcr.VCR(cassette_library_dir=str(tmp_path), filter_headers=["authorization"])
        with FaultServer(answer({"version": "0.32.0"}), stream({"n": 1})) as server:
            config = VllmConfig(base_url=server.url, api_key="sk-canary")
            with recorder.use_cassette(f"{name}.yaml", record_mode="new_episodes"):
                recorded = carry(config, ASK), carry(config, CHAT)
        assert len(server.requests) == 2
        with recorder.use_cassette(f"{name}.yaml", record_mode="none"):
            replayed = carry(config, ASK), carry(config, CHAT)
        assert [got.body for got in replayed] == [got.body for got in recorded]
        assert [got.status for got in replayed] == [200, 200]
        assert replayed[1].body == b'data: {"n": 1}\n\ndata: [DONE]\n\n'
        assert "canary" not in (tmp_path / f"{name}.yaml").read_text()

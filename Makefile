# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/vllm-connect libs/langchain-vllm libs/llama-index-vllm
SOURCES := libs tests cookbook

.PHONY: help install demo test test-live record vllm lint format types build check-install test-floors constraints fuzz hostile drafts mutants differential bench bench-transports faults soak cancel load clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Install the three packages and the tools into .venv

$(VENV)/.installed: pyproject.toml constraints.txt $(wildcard libs/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt $(addprefix -e ,$(PACKAGES)) --group dev
	touch $@

demo: install ## Run both agents against a real vLLM (started here unless VLLM_BASE_URL is set)
	$(BIN)/python -m tests.live.with_server --enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser qwen3 -- $(BIN)/python cookbook/demo.py

test: install ## Run everything that needs no server
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not live" tests

test-live: install ## Run the suite against real vLLM servers (started here unless VLLM_BASE_URL is set; FLAGS are pytest's)
	$(BIN)/python -m pytest -q --timeout 1500 -m live tests/live $(FLAGS)

record: install ## Record all cassettes and the notebooks' outputs anew (servers as for test-live)
	rm -rf tests/cassettes
	$(BIN)/python -m pytest -q --timeout 1500 --record tests/recorded tests/cookbook

vllm: ## Serve the demo model in the foreground; FLAGS are vLLM's
	tests/live/server/serve $(FLAGS)

lint: install ## Check style
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

format: install ## Apply style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

types: install ## Check types, as the oldest and the newest Python see them
	$(BIN)/mypy $(SOURCES)
	$(BIN)/mypy --python-version 3.14 libs

build: install ## Build a wheel and an sdist of each package into dist/
	rm -rf dist
	for package in $(PACKAGES); do $(BIN)/uv build -q -o dist $$package || exit 1; done

check-install: build ## Install each package alone into an empty environment and import it
	tests/check_install.sh $(BIN)/uv

test-floors: install ## Run the adapters' tests at the oldest supported frameworks, whose own warnings are not ours
	test -x .venv-floors/bin/python || $(PYTHON) -m venv .venv-floors
	$(BIN)/uv pip install -q -p .venv-floors/bin/python -r tests/floors.txt $(addprefix -e ,$(PACKAGES))
	.venv-floors/bin/python -m pytest -q -n 2 -W default -p no:cacheprovider -m "not live and not newest" tests/langchain tests/llamaindex

constraints: install ## Compile constraints.txt anew
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --no-header --no-annotate \
		--no-emit-package vllm-connect --group dev $(addsuffix /pyproject.toml,$(PACKAGES)) -o constraints.txt

fuzz: install ## Fuzz the parsers and the SSE decoder with more than a million examples
	FUZZ_FACTOR=100 $(BIN)/python -m pytest -n 2 --timeout 0 tests/connect/parsing/test_laws.py tests/connect/protocol/test_sse.py -k "not linear"

hostile: install ## Send 20,000 hostile byte streams to both shells of the transport over real sockets
	FUZZ_FACTOR=40 $(BIN)/python -m pytest -q --timeout 0 tests/connect/transport/test_hostile_streams.py

drafts: install ## Parse a hundred thousand texts with drafted calls in their reasoning, and calls after it
	FUZZ_FACTOR=500 $(BIN)/python -m pytest -q --timeout 0 tests/connect/parsing/test_reasoning.py -k executed_and_every

mutants: install ## Break each rule of a table in a copy, and list those that no test holds (FLAGS="chat/plan.py")
	$(BIN)/python -m tests.mutants $(FLAGS)

differential: install ## Hold our parsers against the installed vLLM's, and write cookbook/formats.md
	$(BIN)/python -m tests.live.differential --write cookbook/formats.md

.venv-peers: install tests/peers.txt tests/peers-llamaindex.txt ## Install the adapters that ours are compared with
	for peer in "" -llamaindex; do \
		test -x .venv-peers$$peer/bin/python || $(BIN)/python -m venv .venv-peers$$peer; \
		$(BIN)/uv pip install -q -p .venv-peers$$peer/bin/python -r tests/peers$$peer.txt tqdm trustme $(addprefix -e ,$(PACKAGES)) || exit 1; \
	done
	touch $@

bench: .venv-peers ## Measure clients, peers and floors; FLAGS are those of python -m tests.bench
	$(BIN)/python -m tests.bench $(FLAGS)

bench-transports: install ## Measure the transports alone
	$(BIN)/python tests/bench/transports.py

faults: install ## Try every fault on our clients (FLAGS="--client openai" after `make .venv-peers`, --write)
	$(BIN)/python -m tests.faults $(FLAGS)

soak: install ## Run 100,000 streams and plot memory, descriptors and tasks (FLAGS="--streams 1000", --write)
	$(BIN)/python -m tests.faults.soak $(FLAGS)

cancel: install ## Cancel 60 % of 50,000 requests and show the pool whole (FLAGS="--requests 1000", --write)
	$(BIN)/python -m tests.faults.cancel $(FLAGS)

load: install ## Run 5,000 streams, 20,000 calls and 200 threads at once (FLAGS="--calls 1000", --write)
	$(BIN)/python -m tests.faults.load $(FLAGS)

clean: ## Remove what the other targets made
	rm -rf dist build .venv .venv-floors .venv-peers .venv-peers-llamaindex .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-results

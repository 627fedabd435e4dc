#!/usr/bin/env bash
# Install every wheel and every sdist alone into an empty environment, and import it: check_install.sh PATH_OF_UV
set -euo pipefail
uv=$(realpath "$1")
cd "$(dirname "$0")/../dist"
for name in vllm_connect langchain_vllm llama_index_vllm; do
  for file in "$name"-*.whl "$name"-*.tar.gz; do
    env=$(mktemp -d)
    "$uv" venv -q --clear "$env"
    "$uv" pip install -q -p "$env/bin/python" --refresh-package vllm-connect --find-links . "./$file"
    (cd / && "$env/bin/python" -W error -c "import $name; print('$file', 'imports', $name.__version__)")
    rm -rf "$env"
  done
done

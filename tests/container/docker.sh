#!/bin/sh
# docker.sh up FOLDER : start a Docker engine of its own, with everything in FOLDER, and print its address (DOCKER_HOST).
# docker.sh down FOLDER : end it. The engine makes no bridge and touches no firewall rule: its containers have no network.
set -eu
here=$(dirname "$(realpath "$0")")
folder=$2
address=unix://$folder/docker.sock

up() {
  "$here/packages.sh" docker.io runc
  mkdir -p "$folder"
  rm -f "$folder/docker.pid"
  setsid dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" \
    --host "$address" --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    </dev/null >"$folder/log" 2>&1 &
  tries=0
  until /usr/bin/docker --host "$address" version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 900 ]; then
      echo "the Docker engine does not start:" >&2
      tail --lines 20 "$folder/log" >&2
      exit 1
    fi
    sleep 0.2
  done
  chmod 666 "$folder/docker.sock"
  echo "$address"
}

down() {
  [ -s "$folder/docker.pid" ] || exit 0
  process=$(cat "$folder/docker.pid")
  [ "$(cat "/proc/$process/comm" 2>/dev/null)" = dockerd ] || exit 0
  kill "$process" 2>/dev/null || exit 0 # it went of itself
  tries=0
  while [ -d "/proc/$process" ] && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
}

"$1"

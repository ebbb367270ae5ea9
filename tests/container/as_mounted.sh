#!/bin/sh
# as_mounted.sh DATA OUT COMMAND... : a command of this machine that sees DATA as /data and OUT as /out, as a container
# does, so that the paths in what it writes are the same. Nothing of this machine changes: the root is a private one.
set -eu
data=$(realpath "$1") out=$(realpath "$2")
shift 2
root=$(mktemp --directory)
trap 'rmdir "$root"' EXIT
# shellcheck disable=SC2016 # for the shell inside
DATA=$data OUT=$out ROOT=$root unshare --mount sh -euc '
  mount -t tmpfs none "$ROOT"
  for each in /*; do
    name=${each#/}
    case $name in data | out) continue ;; esac
    if [ -L "$each" ]; then
      cp --no-dereference "$each" "$ROOT/$name"
    elif [ -d "$each" ]; then
      mkdir "$ROOT/$name"
      mount --rbind "$each" "$ROOT/$name"
    fi
  done
  mkdir "$ROOT/data" "$ROOT/out"
  mount --bind "$DATA" "$ROOT/data"
  mount --bind "$OUT" "$ROOT/out"
  exec chroot "$ROOT" "$@"
' sh "$@"

#!/bin/sh
# strict.sh IMAGE DATA OUT [ARGUMENT...] : the image as strictly as a container can be run: nothing writable but OUT and
# a /tmp of 64 MB, no network, no capability, a user that the image does not know, a HOME that cannot be written.
set -eu
here=$(dirname "$(realpath "$0")")
image=$1 data=$(realpath "$2") out=$(realpath "$3")
shift 3
"$here/packages.sh" podman runc
# Inside another container podman may not raise limits beyond those it lives under, and asks for that by default.
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
files=$(sed -n 's/^Max open files *[^ ]* *\([^ ]*\).*/\1/p' /proc/self/limits)
processes=$(sed -n 's/^Max processes *[^ ]* *\([^ ]*\).*/\1/p' /proc/self/limits)
most=$(cat /proc/sys/kernel/pid_max)
[ "$files" != unlimited ] || files=1048576
if [ "$processes" = unlimited ] || [ "$processes" -gt "$most" ]; then processes=$most; fi
cat >"$settings" <<END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
END
# shellcheck disable=SC2086 # PODMAN_OPTIONS is several words
CONTAINERS_CONF=$settings podman run --rm --pull=never --read-only --read-only-tmpfs=false \
  --tmpfs /tmp:rw,size=64m,mode=1777 --network none --cap-drop all --security-opt no-new-privileges \
  --user 1234:1234 --env HOME=/nonexistent ${PODMAN_OPTIONS:-} \
  --volume "$data:/data:ro" --volume "$out:/out" "$image" "$@"

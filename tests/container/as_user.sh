#!/bin/sh
# as_user.sh COMMAND... : run it as the plain user 1234, without privileges, with a home that cannot be written and
# with nothing of this environment but PATH (apptainer and Slurm on it) and what AS_USER_ENV names.
set -eu
here=$(dirname "$(realpath "$0")")
apptainer=$("$here/apptainer.sh")
getent passwd 1234 >/dev/null ||
  useradd --uid 1234 --home-dir /nonexistent --no-create-home --shell /bin/sh bids_regions_test
# Apptainer mounts images by FUSE: udev lends the device to everybody, on a machine without udev it may be root's alone
[ ! -e /dev/fuse ] || chmod a+rw /dev/fuse
scratch=$(mktemp --directory)
trap 'rm -rf "$scratch"' EXIT
chown 1234:1234 "$scratch"
# shellcheck disable=SC2086 # AS_USER_ENV is several words
setpriv --reuid 1234 --regid 1234 --clear-groups --no-new-privs --bounding-set=-all \
  env --ignore-environment PATH="$(dirname "$apptainer"):/usr/bin:/bin:/usr/sbin:/sbin" HOME=/nonexistent USER=someone \
  APPTAINER_CONFIGDIR="$scratch" APPTAINER_CACHEDIR="$scratch/cache" APPTAINER_TMPDIR="$scratch" ${AS_USER_ENV:-} "$@"

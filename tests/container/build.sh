#!/bin/sh
# build.sh CONTEXT TAG : build CONTEXT/Dockerfile, unchanged, by buildah. This machine's archive and package index are
# lent to the build, and stay out of the image: apt's sources as a mount, pip's settings and certificates as secrets.
set -eu
here=$(dirname "$(realpath "$0")")
context=$1 tag=$2
"$here/base.sh"
lent=$(mktemp --directory)
trap 'rm -rf "$lent"' EXIT
mkdir "$lent/apt"
# shellcheck disable=SC2016 # apt's own words
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) main' 'Created-By: Packages' |
  grep -E ' bookworm(-security|-updates)? main$' | sort --unique >"$lent/apt/lent.list"
"$here/pip_settings.py" >"$lent/pip.conf"
cp /etc/ssl/certs/ca-certificates.crt "$lent/ca.crt"
buildah build --quiet --isolation chroot --pull=never --layers --format docker \
  --volume "$lent/apt:/etc/apt/sources.list.d:ro" \
  --secret "id=pip.conf,src=$lent/pip.conf" --secret "id=ca.crt,src=$lent/ca.crt" \
  --build-arg "REVISION=$(git -C "$context" rev-parse HEAD 2>/dev/null || echo unknown)" \
  --tag "$tag" "$context"

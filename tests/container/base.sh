#!/bin/sh
# base.sh : the image that the Dockerfile starts from, where no registry is at hand: Debian 12 by debootstrap, cut down
# as Debian's slim images are, from the archive that this machine's apt uses. Kept in buildah's store; made once.
set -eu
here=$(dirname "$(realpath "$0")")
name=docker.io/library/debian:bookworm-slim
"$here/packages.sh" buildah debootstrap debian-archive-keyring
if buildah inspect --type image "$name" >/dev/null 2>&1; then exit 0; fi

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
root=$work/root
# shellcheck disable=SC2016 # apt's own words
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head --lines 1)
debootstrap --variant=minbase bookworm "$root" "${archive:?apt knows no Debian archive}" >"$work/log" 2>&1 || {
  tail --lines 20 "$work/log" >&2
  exit 1
}
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
END
find "$root/usr/share/doc" -type f -not -name copyright -delete
for part in usr/share/info usr/share/locale usr/share/man var/lib/apt/lists var/cache/apt var/log; do
  find "$root/$part" -mindepth 1 -delete
done
# what debootstrap copied from this machine has no place in an image
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
: >"$root/etc/apt/sources.list"

container=$(buildah from scratch)
buildah add --quiet "$container" "$root" / >/dev/null
buildah config --cmd bash "$container"
buildah commit --quiet --rm "$container" "$name" >/dev/null

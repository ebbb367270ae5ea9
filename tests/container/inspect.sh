#!/bin/sh
# inspect.sh IMAGE MEGABYTES : what the image promises of itself, read from outside: size, user, labels, no compiler, no
# pip, nothing unreadable, nothing of the builder's machine.
set -eu
image=$1 megabytes=$2
container=$(buildah from --pull=never "$image")
trap 'buildah rm "$container" >/dev/null' EXIT
root=$(buildah mount "$container")
bad=
complain() {
  echo "the image: $*" >&2
  bad=yes
}
size=$(du --summarize --block-size=1000000 --apparent-size "$root" | cut -f1)
echo "the image holds $size MB"
[ "$size" -le "$megabytes" ] || complain "larger than $megabytes MB"
for part in usr opt/bids_regions; do
  echo "  $(du --summarize --block-size=1000000 --apparent-size "$root/$part" | cut -f1) MB /$part"
done
for tool in gcc cc c++ g++ make ld pip pip3 git; do
  for folder in usr/bin usr/local/bin opt/bids_regions/bin; do
    if [ -e "$root/$folder/$tool" ]; then complain "has /$folder/$tool"; fi
  done
done
[ -z "$(find "$root" -type d -name pip -path '*-packages*')" ] || complain "has pip"
[ -z "$(find "$root/opt" "$root/version" ! -type l ! -perm -o=r)" ] || complain "has unreadable files"
[ -z "$(find "$root/opt" ! -type l -perm /022)" ] || complain "has files that others may change"
[ -z "$(find "$root/opt/bids_regions/lib" -name '*.py' -path '*/bids_regions/*' | head -n 1)" ] && complain "has no app"
[ -n "$(find "$root/opt/bids_regions/lib" -name 'cli.*.pyc' | head -n 1)" ] || complain "has no byte-code"
for folder in data out templateflow; do [ -d "$root/$folder" ] || complain "has no /$folder"; done
said=$(buildah inspect --type image --format '{{.OCIv1.Config.User}} {{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}' "$image")
[ "$said" = "1000:1000 $(cat "$root/version")" ] || complain "says of its user and version: $said"
# no secret or mount of the build may stay behind
if [ -s "$root/etc/pip.conf" ] || [ -s "$root/run/secrets/ca.crt" ]; then complain "holds the builder's pip settings"; fi
[ -z "$(find "$root/etc/apt/sources.list.d" -type f -size +0 -name lent.list)" ] || complain "holds the builder's apt sources"
buildah umount "$container" >/dev/null
[ -z "$bad" ]

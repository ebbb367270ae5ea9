#!/bin/sh
# sif.sh IMAGE FILE.sif : the image of buildah's store as a SIF, by Apptainer.
set -eu
here=$(dirname "$(realpath "$0")")
image=$1 sif=$2
apptainer=$("$here/apptainer.sh")
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
buildah push --quiet "$image" "oci-archive:$work/image.tar:latest"
APPTAINER_CACHEDIR=$work/cache APPTAINER_TMPDIR=$work "$apptainer" --quiet build --force \
  --mksquashfs-args '-comp zstd -Xcompression-level 3' "$sif" "oci-archive:$work/image.tar"
chmod 644 "$sif"

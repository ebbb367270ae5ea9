#!/bin/sh
# apptainer.sh : print the path of an Apptainer; unpack one (APPTAINER_PREFIX) if there is none.
# Debian 12 has no package of it, Debian unstable has, for a newer C library: both are unpacked aside, and the two
# programs are told to use that library. Nothing else on this machine sees it. It needs no setuid program.
set -eu
here=$(dirname "$(realpath "$0")")
if command -v apptainer; then exit 0; fi
"$here/packages.sh" debian-archive-keyring patchelf uidmap squashfs-tools squashfuse fuse3 fuse-overlayfs
prefix=${APPTAINER_PREFIX:-/var/cache/bids_regions-tests/apptainer}
program=$prefix/usr/bin/apptainer
if ! "$program" --version >/dev/null 2>&1; then
  work=$(mktemp --directory)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/packages"
  # shellcheck disable=SC2016 # apt's own words
  archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head --lines 1)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive sid main" >"$work/sources.list"
  cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Retries "3";
APT::Sandbox::User "root";
END
  export APT_CONFIG="$work/apt.conf"
  apt-get -qq update >&2
  (cd "$work/packages" && apt-get -qq download apptainer libc6 libseccomp2 libsqlite3-0 >&2)
  rm -rf "$prefix"
  mkdir -p "$prefix"
  for package in "$work"/packages/*.deb; do dpkg-deb --extract "$package" "$prefix"; done
  libraries=$prefix/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
  loader=$(find "$libraries" -name 'ld-linux*' | head --lines 1)
  for each in "$program" "$libraries/apptainer/bin/starter"; do
    patchelf --force-rpath --set-rpath "$libraries" --set-interpreter "$loader" "$each"
  done
  # its settings and its state, where the moved programs look for them
  mkdir -p "$prefix/usr/var/lib/apptainer/mnt/session"
  ln -sfn ../etc "$prefix/usr/etc"
  ln -sfn ../../etc "$prefix/usr/lib/etc"
  ln -sfn ../var "$prefix/usr/lib/var"
  chmod -R a+rX "$prefix" "$(dirname "$prefix")"
  "$program" --version >&2
fi
echo "$program"

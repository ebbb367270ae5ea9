#!/bin/sh
# packages.sh PACKAGE... : have these Debian packages; installs those that are missing, which takes root.
# No daemon of a package is started: what a test needs it starts itself.
set -eu
missing=
for package in "$@"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "The container tests need these Debian packages, and root to install them:$missing" >&2
  exit 1
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
quiet_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" >/dev/null
}
quiet_apt update
# shellcheck disable=SC2086 # one word per package
quiet_apt install --yes --no-install-recommends $missing

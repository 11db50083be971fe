#!/usr/bin/env bash
# Checks the configuration and the alerts with promtool, and runs the tests of the
# alerts.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v promtool >/dev/null; then
  # Take only promtool out of Debian's package: installing it would start a server.
  package=$(mktemp -d)
  trap 'rm -rf "$package"' EXIT
  apt-get update -qq
  (cd "$package" && apt-get download -qq -o APT::Sandbox::User=root prometheus)
  dpkg-deb --extract "$package"/prometheus_*.deb "$package"
  install -m 755 "$package/usr/bin/promtool" /usr/local/bin/
fi

promtool check config prometheus.yaml
promtool test rules alerts_test.yaml

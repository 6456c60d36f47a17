#!/bin/sh
# Installs Chromium from the distribution's packages, where it is not there and this user may.
for name in chromium chromium-browser google-chrome chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
  echo "make browser: there is no Chromium and no apt-get here; install Chromium and try again." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "make browser: there is no Chromium, and only root may install it: apt-get install chromium" >&2
  exit 1
fi
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null

#!/bin/sh
# Sees to a Chromium for the tests in this folder: finds one, or installs Debian's where that is allowed.
# Never fails a developer's `make test`; where CI is set, no browser is a failure.
for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$browser" ] && command -v "$browser" >/dev/null 2>&1; then
        exit 0
    fi
done

sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo="sudo -n"
fi
if command -v apt-get >/dev/null 2>&1 && $sudo true 2>/dev/null; then
    echo "installing chromium for the browser tests (apt-get, about a minute)" >&2
    if $sudo apt-get update -qq >&2 \
        && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 \
        && command -v chromium >/dev/null 2>&1; then
        exit 0
    fi
fi

echo "NO BROWSER: the tests in tests/browser will be skipped (install chromium, or set CHROMIUM to one)" >&2
if [ -n "${CI:-}" ]; then
    exit 1
fi
exit 0

#!/bin/bash
# Installs what is missing, and only that, to build (`run`), to build and test (`test`), to build the image (`image`) or to
# read files with readers that need an environment of their own (`readers`: 1.1 GB) on Debian 12 with Swift.
#   scripts/setup.sh run|test|image|readers
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "cannot run '$*': not root and no sudo; run it as root, then repeat"
    fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

lists_updated=no
update_lists() {
    [ $lists_updated = no ] || return 0
    as_root apt-get update -qq || fail "cannot update apt's package lists; check the network and /etc/apt, then repeat"
    lists_updated=yes
}

install_packages() {
    local missing=() package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "apt: installing ${missing[*]}"
    update_lists
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "cannot install ${missing[*]}; try: apt-get install ${missing[*]}"
}

# Debian's package starts a service when it is installed, so only its program is unpacked, below .tools.
unpack_prometheus() {
    if command -v prometheus >/dev/null || [ -x .tools/usr/bin/prometheus ]; then return 0; fi
    say "apt: unpacking Debian's prometheus in .tools"
    update_lists
    local download
    download=$(mktemp -d)
    (cd "$download" && apt-get download -qq -o APT::Sandbox::User=root prometheus) || fail "cannot download Debian's prometheus; check the network"
    mkdir -p .tools
    dpkg-deb --fsys-tarfile "$download"/prometheus_*.deb | tar -x -C .tools ./usr/bin
    rm -r "$download"
}

# As above; its libraries are plain packages.
unpack_squid() {
    install_packages libecap3 libgssapi-krb5-2 libldap-2.5-0 libltdl7 libnetfilter-conntrack3 libsasl2-2 libtdb1
    [ ! -d .tools/usr/share/squid-langpack ] || return 0
    say "apt: unpacking Debian's squid in .tools"
    update_lists
    local download package
    download=$(mktemp -d)
    (cd "$download" && apt-get download -qq -o APT::Sandbox::User=root squid squid-common squid-langpack) || fail "cannot download Debian's squid; check the network"
    mkdir -p .tools
    for package in "$download"/squid*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C .tools ./usr; done
    rm -r "$download"
}

# A Python environment and the list of what is in it.
prepare_venv() {
    local venv=$1 list=$2 wanted
    wanted=$(sha256sum <"$list")
    [ "$(cat "$venv/.ready" 2>/dev/null)" != "$wanted" ] || return 0
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then install_packages python3 python3-venv; fi
    say "pip: installing $list in $venv (first time: 1-3 minutes)"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list" ||
        fail "cannot install $list; check the network, or remove $venv and repeat"
    echo "$wanted" >"$venv/.ready"
}

case "${1:-}" in
run | test | image | readers) ;;
*)
    echo "usage: scripts/setup.sh run|test|image|readers" >&2
    exit 2
    ;;
esac
command -v swift >/dev/null || fail "swift is not in PATH; install Swift 6.2 or newer from https://www.swift.org/install/linux/debian/12/"
command -v dpkg-query >/dev/null || fail "this is not Debian; install by hand what scripts/setup.sh names, then repeat"
install_packages libbrotli-dev libcurl4-openssl-dev libre2-dev libsnappy-dev libsqlite3-dev libssl-dev libxxhash-dev libyaml-dev libzstd-dev pkg-config zlib1g-dev
if [ "$1" = image ]; then install_packages ca-certificates dpkg-dev gcc make zstd; fi
if [ "$1" = test ]; then
    install_packages strace chromium fish tmux zsh zstd
    unpack_prometheus
    unpack_squid
    prepare_venv .venv Tests/requirements.txt
    prepare_venv .venv-senders Tests/senders-requirements.txt
fi
if [ "$1" = readers ]; then prepare_venv .venv-readers Tests/readers-requirements.txt; fi

#!/bin/bash
# Gathers what a container of the program needs: itself, the libraries it is linked with, CA certificates, nobody.
#   scripts/root_filesystem.sh CZCTL DIRECTORY
set -euo pipefail
czctl=$1 root=$2
mkdir -p "$root"/{cloudzero/{config,secret,data},etc/ssl/certs,tmp}
chmod 1777 "$root/tmp"
install --mode 0755 --strip "$czctl" "$root/cloudzero/czctl"
ln -sf czctl "$root/cloudzero/app"
# A line of ldd is `name => path (address)`, or `path (address)` for the loader; of a static program it has none, and fails.
{ ldd "$czctl" 2>/dev/null || true; } | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' | while read -r library; do
    install -D --mode 0755 "$(readlink -f "$library")" "$root$library"
done
install --mode 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'nobody:x:65534:65534:nobody:/:/cloudzero/czctl' >"$root/etc/passwd"
echo 'nogroup:x:65534:' >"$root/etc/group"
chown -R 65534:65534 "$root/cloudzero/data" 2>/dev/null || echo "root_filesystem: not root: cloudzero/data stays yours" >&2

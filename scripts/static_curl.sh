#!/bin/bash
# libcurl for the image, which has no shared libraries: HTTP, TLS and proxies alone, from Debian's source of the version
# installed here, with its security patches, over the BoringSSL that the program has already. Debian's own libcurl.a wants
# twenty libraries more.
#   scripts/static_curl.sh DIRECTORY BORINGSSL HEADERS      makes DIRECTORY/{include,lib}, if they are not there
# BORINGSSL has include/openssl, which includes HEADERS, and an empty lib: what is linked comes with the program.
set -euo pipefail
target=$(realpath -m "$1") boringssl=$(realpath -m "$2") headers=$(realpath -m "$3")
version="$(dpkg-query --show --showformat='${source:Version}' libcurl4-openssl-dev) $(cat "$headers"/*.h | sha256sum)"
[ "$(cat "$target/version" 2>/dev/null)" != "$version" ] || exit 0
echo "static_curl: building curl ${version%% *} from Debian's source, a minute"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,lists/partial,source}
# The machine's own sources of packages, asked for source instead; its lists stay as they are.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$list" ] || sed 's/^Types: deb$/Types: deb-src/; s/^deb /deb-src /' "$list" >"$work/parts/$(basename "$list")"
done
cd "$work/source"
from=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts" -o "Dir::State::lists=$work/lists"
    -o APT::Sandbox::User=root)
log=$work/log
{
    apt-get -qq "${from[@]}" update
    apt-get -qq "${from[@]}" source "curl=${version%% *}"
    cd curl-*/
    # Patches touched what these are made of: they are as they should be, and autoconf is not needed.
    find . -name configure -o -name aclocal.m4 -o -name Makefile.in -o -name curl_config.h.in | xargs touch
    # Functions cannot be asked for by linking: BoringSSL's names have a prefix that its headers add.
    ar rc "$boringssl/lib/libssl.a"
    ar rc "$boringssl/lib/libcrypto.a"
    export ac_cv_lib_crypto_HMAC_Update=yes ac_cv_lib_ssl_SSL_connect=yes
    CPPFLAGS="-I$headers" CFLAGS="-Os -ffunction-sections -fdata-sections" ./configure --prefix="$target" --disable-shared --enable-static \
        --with-openssl="$boringssl" --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --with-ca-path=/etc/ssl/certs \
        --disable-dependency-tracking --without-{brotli,gssapi,libidn2,libpsl,librtmp,libssh2,nghttp2,zlib,zstd} \
        --disable-{alt-svc,aws,cookies,dict,doh,file,form-api,ftp,get-easy-options,gopher,hsts,imap,ldap,ldaps,manual} \
        --disable-{mqtt,netrc,ntlm,pop3,rtsp,smb,smtp,telnet,tftp,tls-srp,unix-sockets}
    make -j"$(nproc)" -C lib
    make -C lib install
    make -C include install
    make install-pkgconfigDATA
    sed -i 's/ -lssl -lcrypto//; s/ -DCURL_STATICLIB//' "$target/lib/pkgconfig/libcurl.pc"
} >"$log" 2>&1 || {
    tail -20 "$log" >&2
    echo "static_curl: cannot build curl ${version%% *}; it needs Debian's source packages, dpkg-dev, gcc and make" >&2
    exit 1
}
echo "$version" >"$target/version"

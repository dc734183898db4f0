# syntax=docker/dockerfile:1
# The image from scratch: the program, which has no shared libraries, CA certificates, nobody. No shell.
# UNTESTED as a whole: no Docker daemon was at hand. Its lines are those of `make image`, and what that makes was run in an
# empty root. arm64: untested.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates dpkg-dev gcc libbrotli-dev \
    libcurl4-openssl-dev libre2-dev libsnappy-dev libsqlite3-dev libssl-dev libxxhash-dev libyaml-dev libzstd-dev make \
    pkg-config zlib1g-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN scripts/static_program.sh .build-image --explicit-target-dependency-import-check error
RUN scripts/root_filesystem.sh .build-image/release/czctl /image

FROM scratch
COPY --from=build /image/ /
USER 65534:65534
EXPOSE 8080 8081
ENTRYPOINT ["/cloudzero/app"]
CMD ["-config", "/cloudzero/config/config.yml"]

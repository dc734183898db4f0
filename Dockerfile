# syntax=docker/dockerfile:1
# The image from scratch: the program, the libraries it is linked with, CA certificates, nobody. No shell.
# UNTESTED as a whole: no Docker daemon was at hand. The lines that gather the files were run by themselves, and what they
# made was run in an empty root.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libbrotli-dev libcurl4-openssl-dev libre2-dev \
    libsnappy-dev libsqlite3-dev libssl-dev libxxhash-dev libyaml-dev libzstd-dev pkg-config zlib1g-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN swift build --configuration release --product czctl --static-swift-stdlib \
    --explicit-target-dependency-import-check error
RUN scripts/root_filesystem.sh .build/release/czctl /image

FROM scratch
COPY --from=build /image/ /
USER 65534:65534
EXPOSE 8080 8081
ENTRYPOINT ["/cloudzero/app"]
CMD ["-config", "/cloudzero/config/config.yml"]

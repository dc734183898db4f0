# Everything a person or CI runs; each target installs what it misses (scripts/setup.sh) and asks nothing.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: run build package image test-image man test check format bench bench-grid bench-recovery bench-parquet footprint soak check-files replay planted fuzz

# Of every build: an import that Package.swift does not declare fails (layers, docs/ARCHITECTURE.md); and with colours on a
# terminal and none elsewhere all would be compiled anew whenever the one follows the other.
SWIFT_FLAGS := --explicit-target-dependency-import-check error --no-color-diagnostics
RELEASE := .build/release/czctl

run: build
	$(RELEASE) demo

build:
	@scripts/setup.sh run
	@[ -x $(RELEASE) ] || echo "build: first build, some minutes"
	swift build $(SWIFT_FLAGS) --configuration release --product czctl

# The container image, by Docker: make package IMAGE=registry.example.com/cirrus:0.1.0
IMAGE := cirrus:0.1.0
package:
	@docker version >/dev/null 2>&1 || { echo "package: no Docker daemon answers; start one, then repeat" >&2; exit 1; }
	docker build --tag $(IMAGE) .

# The same image without a daemon: .build-image/cirrus.oci.tar, the same bytes for the same program.
image:
	@scripts/setup.sh image
	@scripts/static_program.sh .build-image $(SWIFT_FLAGS)
	@rm -rf .build-image/root
	@scripts/root_filesystem.sh .build-image/release/czctl .build-image/root
	@python3 scripts/oci_archive.py .build-image/root .build-image/cirrus.oci.tar --tag $(IMAGE)

# Its program as nobody in a root that holds nothing else and cannot be written.
test-image: image
	@scripts/setup.sh test
	CZCTL=$(CURDIR)/.build-image/release/czctl CIRRUS_IMAGE=$(CURDIR)/.build-image/cirrus.oci.tar \
	    .venv/bin/python -m pytest -q Tests/EndToEnd/test_quick_start.py -k image

# The manual pages of docs/man, and where a packager wants them: make man MAN=/usr/share/man/man1
MAN := docs/man
man: build
	python3 scripts/man_pages.py $(RELEASE) $(MAN)

test:
	@scripts/setup.sh test
	@scripts/test.sh $(SWIFT_FLAGS)

check:
	@scripts/setup.sh test
	swift format lint --strict --recursive Sources Tests Fuzz Package.swift
	@scripts/test.sh $(SWIFT_FLAGS)
	@scripts/check_links.sh

# One life of the simulation, told in full: make replay SEED=123
replay:
	@scripts/setup.sh test
	swift build --build-tests $(SWIFT_FLAGS)
	CIRRUS_SEED=$(SEED) swift test --skip-build $(SWIFT_FLAGS) --filter SeedTests/replay

# The durability suites at length: make soak SEEDS=50000 KILLS=500 CUTS=1000 FILLS=50 INJECTIONS=450 MINUTES=0
# SERIES=5000000 PROMETHEUS_MINUTES=10; what make is given on its command line is in the scripts' environment.
soak: build
	@scripts/setup.sh test
	@scripts/setup.sh readers
	@scripts/soak.sh $(SWIFT_FLAGS)

# Every Parquet file that tests make, by every reader, those of an environment of their own (chdb, daft) too. FILES=DIRECTORY
# adds files from elsewhere.
check-files:
	@scripts/setup.sh test
	@scripts/setup.sh readers
	@scripts/check_files.sh $(SWIFT_FLAGS)

# Arbitrary bytes into everything that decodes them: make fuzz TARGET="v1 v2" SECONDS=600 RUNS=1000000
fuzz:
	@scripts/setup.sh run
	@TARGET="$(TARGET)" FUZZ_SECONDS="$(SECONDS)" RUNS="$(RUNS)" scripts/fuzz.sh $(SWIFT_FLAGS)

# Plants realistic omissions one by one; the tests must catch each: docs/testing.md.
planted:
	@scripts/setup.sh test
	@python3 Tests/Planted/plant.py

format:
	swift format --in-place --recursive Sources Tests Fuzz Package.swift

bench: build
	@scripts/setup.sh test
	.venv/bin/python Benchmarks/ingest.py

bench-grid: build
	@scripts/setup.sh test
	.venv/bin/python Benchmarks/ingest.py --roles floor-srv,cirrus --samples 4000000 --proto v1,v2 \
	    --series 1000,10000,100000,1000000 --connections 1,4,16

bench-recovery: build
	@scripts/setup.sh test
	.venv/bin/python Benchmarks/recovery.py

bench-parquet:
	@scripts/setup.sh test
	.venv/bin/python Benchmarks/parquet.py --profiles compat,compact

# Of what `make image` packs: eleven minutes.
footprint: image
	@CZCTL=.build-image/release/czctl python3 Benchmarks/footprint.py --image .build-image/cirrus.oci.tar

# Everything a person or CI runs; each target installs what it misses (scripts/setup.sh) and asks nothing.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: run build test check format bench

# Of every build: an import that Package.swift does not declare fails (layers, docs/ARCHITECTURE.md).
SWIFT_FLAGS := --explicit-target-dependency-import-check error
RELEASE := .build/release/czctl

run: build
	$(RELEASE) demo

build:
	@scripts/setup.sh run
	@[ -x $(RELEASE) ] || echo "build: first build, some minutes"
	swift build $(SWIFT_FLAGS) --configuration release --product czctl

test:
	@scripts/setup.sh test
	@scripts/test.sh $(SWIFT_FLAGS)

check:
	@scripts/setup.sh test
	swift format lint --strict --recursive Sources Tests Package.swift
	@scripts/test.sh $(SWIFT_FLAGS)
	@scripts/check_links.sh

format:
	swift format --in-place --recursive Sources Tests Package.swift

bench: build
	@scripts/setup.sh test
	.venv/bin/python Benchmarks/ingest.py

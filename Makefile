# What people do with this tree. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ARGS ?=
SWIFT ?= swift
# The compiler holds the direction of imports: a target may import only what it names in Package.swift.
CHECKS := --explicit-target-dependency-import-check error
SERVER := .build/release/martlet
SOURCES := $(shell find Sources -type f 2>/dev/null) Package.swift
PAGE_REQUIREMENTS := $(wildcard Tests/Page/requirements.txt)

# Debian packages: to build, for the tests (the page is tried in a real browser, with Chinese text), and to count instructions.
BUILD_PACKAGES := libsqlite3-dev libpq-dev pkg-config zlib1g-dev
HOTLOOPS_PACKAGES := $(BUILD_PACKAGES) python3 valgrind binutils
CLUSTER_PACKAGES := python3 postgresql redis-server nginx libnginx-mod-stream openssl
TEST_PACKAGES := $(BUILD_PACKAGES) $(CLUSTER_PACKAGES) python3-venv chromium

# Installs those of the given Debian packages that are missing, and says so. Does nothing on other systems.
define install
	missing=""; \
	if command -v dpkg-query >/dev/null; then \
	    for name in $(1); do \
	        dpkg-query -W -f='$${db:Status-Status}\n' $$name 2>/dev/null | grep -qx installed || missing="$$missing $$name"; \
	    done; \
	fi; \
	if [ -n "$$missing" ]; then \
	    echo "Installing missing packages:$$missing"; \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get -q update </dev/null; \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $$missing </dev/null; \
	fi
endef

.PHONY: help run cluster build test setup-test lint format bench peers hotloops test-deploy clean

help: ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(SERVER) ## Build a release (first time: minutes) and serve with data in ./data. ARGS=--demo for a try.
	@exec $(SERVER) serve $(ARGS)

cluster: $(SERVER) ## A whole cluster on this machine, data in ./cluster-data: PostgreSQL, Redis, nodes, nginx. ARGS=--demo for a try.
	@$(call install,$(CLUSTER_PACKAGES))
	@exec python3 -B deploy/cluster/cluster.py --martlet $(SERVER) $(ARGS)

build: $(SERVER) ## Build the release.

$(SERVER): $(SOURCES)
	@$(call install,$(BUILD_PACKAGES))
	$(SWIFT) build -c release --product martlet
	@touch -c $(SERVER)

test: setup-test test-deploy ## Everything that can be tested on one machine.
	$(SWIFT) build --build-tests $(CHECKS)
	@mkdir -p .build; $(SWIFT) test --skip-build --disable-xctest --no-parallel $(CHECKS) $(ARGS) 2>&1 | tee .build/test.log \
	    || { echo "What failed, once more:"; grep -a '✘' .build/test.log | cut -c 1-1000; exit 1; }

test-deploy: ## Try what stands around the program: deploy/ and the capacity model.
	@$(call install,$(CLUSTER_PACKAGES))
	@python3 -B -m unittest discover -s deploy/cluster
	@python3 -B -m unittest discover -s deploy/tests
	@python3 -B -m unittest discover -s Benchmarks -p 'capacity_test.py'

setup-test:
	@fonts=""; [ -n "$$(fc-list ':lang=zh-cn' 2>/dev/null || true)" ] || fonts=fonts-wqy-microhei; \
	$(call install,$(TEST_PACKAGES) $$fonts)
ifneq ($(PAGE_REQUIREMENTS),)
	@$(MAKE) --no-print-directory .venv/.installed
endif

.venv/.installed: $(PAGE_REQUIREMENTS)
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r $(PAGE_REQUIREMENTS)
	@touch $@

lint: ## Style, as .swift-format has it.
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks

format: ## Bring the tree into that style.
	$(SWIFT) format format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks

bench: $(SERVER) ## Measure this tree on this machine. ARGS=full for the large profiles.
	@MARTLET=$(SERVER) Benchmarks/run.sh $(ARGS)

hotloops: ## Count the instructions of the hot path and compare. ARGS=--update for new thresholds.
	@$(call install,$(HOTLOOPS_PACKAGES))
	$(SWIFT) build -c release --product martlet-hotloops
	@python3 -B Benchmarks/hotloops_test.py --quiet
	@Benchmarks/hotloops.py $(ARGS)

peers: ## Measure it beside other servers, which are installed. ARGS=full for all profiles.
	@Benchmarks/peers.sh $(ARGS)

clean: ## Forget what was built. Data stays.
	rm -rf .build .venv

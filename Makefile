# Everything that is done here, by name. `make help` lists it.

CARGO ?= cargo
PREFIX ?= /usr/local
SECONDS ?= 60
POLICIES := $(notdir $(patsubst %/Cargo.toml,%,$(wildcard policies/*/Cargo.toml)))
TARGET := $(or $(CARGO_TARGET_DIR),target)
MODULES := $(TARGET)/modules
WASM := --profile module --target wasm32-wasip1
# A module names the sources of its panics: the same bytes on every machine, and no machine's folders in them.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src= \
	--remap-path-prefix=$(CURDIR)=

.DEFAULT_GOAL := help
.PHONY: help toolchain build modules test lint fmt fuzz bench install clean artifacthub docs new-policy

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

toolchain: ## install the pinned toolchain with its target and components, where rustup is there
	@if command -v rustup >/dev/null; then rustup toolchain install >/dev/null; fi

build: toolchain ## build the checker, optimised: target/release/gatehouse
	$(CARGO) build --release --package gatehouse-cli

# One crate a call: only then is a module compiled as one whole, and at its smallest.
modules: toolchain ## build every policy as a Kubewarden module into target/modules, and print their sizes
	@mkdir -p $(MODULES)
	@set -e; for policy in $(POLICIES); do \
		$(CARGO) rustc --quiet $(WASM) --package $$policy --crate-type cdylib; \
		cp $(TARGET)/wasm32-wasip1/module/$$(echo $$policy | tr - _).wasm $(MODULES)/$$policy.wasm; \
	done
	@for policy in $(POLICIES); do \
		printf '%-20s %5d KB\n' $$policy $$(( ($$(wc -c < $(MODULES)/$$policy.wasm) + 999) / 1000 )); \
	done

test: modules ## pass every test: the policies' cases, natively and as modules, the checker, the documents
	GATEHOUSE_MODULES=$(abspath $(MODULES)) $(CARGO) test --release --workspace

lint: toolchain ## check formatting, and let clippy look
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt: toolchain ## format the code
	$(CARGO) fmt --all

FUZZ := -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 -report_slow_units=1
fuzz: ## feed readers and policies with what cargo-fuzz comes up with, for SECONDS=60 each, on a nightly compiler; slow inputs are reported
	@mkdir -p tests/fuzz/corpus
	cd tests && $(CARGO) +nightly fuzz run readers fuzz/corpus fuzz/seeds -- $(FUZZ)
	cd tests && $(CARGO) +nightly fuzz run growth fuzz/corpus fuzz/seeds -- $(FUZZ)

bench: build modules ## measure the checker and the modules; benches/README.md tells what and against whom
	$(CARGO) bench --package gatehouse-benches

install: build modules ## install gatehouse and the modules below PREFIX (/usr/local)
	install -D -m 755 $(TARGET)/release/gatehouse $(DESTDIR)$(PREFIX)/bin/gatehouse
	install -d $(DESTDIR)$(PREFIX)/share/gatehouse/modules
	install -m 644 $(MODULES)/*.wasm $(DESTDIR)$(PREFIX)/share/gatehouse/modules

clean: ## remove what was built
	$(CARGO) clean

artifacthub: toolchain ## make the Artifact Hub package files anew from each policy's metadata.yml
	GATEHOUSE_UPDATE=1 $(CARGO) test --quiet --package gatehouse-tests --no-default-features --test artifacthub

docs: toolchain ## make the page of each policy anew from its documentation, settings and cases
	GATEHOUSE_UPDATE=1 $(CARGO) test --quiet --package gatehouse-cli --no-default-features --test docs

new-policy: ## make a new policy, registered everywhere: make new-policy NAME=host-ports
	@tests/new-policy.sh "$(NAME)"
	@$(MAKE) --no-print-directory artifacthub docs

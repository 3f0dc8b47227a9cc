# The entry point: each target is one task of the project; `make` alone lists them.

PREFIX ?= /usr/local
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help build check test faults demo systemd-test bench bench-peers compare cross static \
    same-bytes deb deb-test image image-parts image-test install clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## the program, optimised, as target/release/hekte
	$(CARGO) build --locked --release

check: ## format, lints, scripts and the house rules, in a minute or two
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --test tidy
	tools/shellcheck.sh

test: ## everything: fetches what the tests need, then runs them all
	tests/prepare.sh
	$(CARGO) test --locked --workspace --no-fail-fast

faults: ## thousands of flipped bits, each asked, stored and merged on; HEKTE_FLIPS=N; half an hour
	HEKTE_FLIPS=$${HEKTE_FLIPS:-3000} CARGO_PROFILE_DEV_OPT_LEVEL=3 \
	    $(CARGO) test --locked --test index flips -- --nocapture

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
	cross/build.sh aarch64

static: ## the same for 64-bit x86
	cross/build.sh x86_64

same-bytes: ## two builds for 64-bit ARM in two places must be equal; minutes
	cross/same-bytes.sh

deb: ## Debian packages for arm64 and amd64, as target/deb/hekte_*.deb
	deb/build.sh

deb-test: ## installs, upgrades and purges the amd64 package in a Debian root; as root, minutes
	deb/test-install.sh

image: ## a bootable arm64 image with bitcoind and hekte; as root, ten minutes; image/README.md
	deb/build.sh arm64
	image/board/build.sh

image-parts: ## the pi-gen stage and the rpi-image-gen layer against a root; as root, after deb-test
	image/test-parts.sh

image-test: ## boots it in qemu, asks it, hangs it, cuts its power; ten minutes or more
	image/board/test.sh

install: ## program, unit, configuration and examples, after `make build`; below PREFIX and DESTDIR
	PREFIX="$(PREFIX)" tools/install-files.sh "$(DESTDIR)" $(TARGET)/release/hekte local

clean: ## removes everything that was built or fetched
	$(CARGO) clean

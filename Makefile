# SPDX-License-Identifier: GPL-2.0
#
# layerblk: everything that is built, tested and installed, from one place.
# "make help" lists the targets. Each directory's own Makefile or Kbuild does
# the work; this one passes on and knows what needs what.

KERNEL  ?= 6.1
DESTDIR ?=
PREFIX  ?= /usr
IMAGE   ?=
HOST    ?= 0
V       ?= 0
TESTS   ?=
MUTANTS ?=
BENCH   ?=
PROFILE ?=
JSON    ?=
PLOT    ?=

TOP     := $(CURDIR)
STAGE   := $(TOP)/build/stage
VERSION := $(shell cat VERSION)

export KERNEL

.DEFAULT_GOAL := all
.PHONY: all help deps module sparse userspace stage engine-test engine-tsan crash-test bench \
	mutation-test fault-test coverage check-style test fuzz soak debug-kernel debug-test \
	debug-test-short vm-shell quickstart install modules-install dkms-install clean

all: module userspace ## Build the module for KERNEL and the tools

help: ## Say what the targets do
	@echo "make TARGET [KERNEL=6.1|6.12|newest|debug|host] [...]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20

deps: ## Install what is missing on this machine (apt, as root or with sudo)
	scripts/deps.sh all

module: ## Build layerblk.ko for KERNEL into build/kmod-<release>/
	@scripts/build-module.sh $(KERNEL)

sparse: ## Run sparse with endian checks over the module
	@scripts/build-module.sh --sparse $(KERNEL)

userspace: ## Build layerctl, layerck and the library into build/userspace/
	$(MAKE) -C userspace

stage: userspace ## Install the tools into build/stage/, for the VM
	@rm -rf $(STAGE).new
	@$(MAKE) -s -C userspace install DESTDIR=$(STAGE).new >/dev/null
	@rm -rf $(STAGE) && mv $(STAGE).new $(STAGE)

engine-test: ## Run the engine's tests under ASan and UBSan
	$(MAKE) -s -j$(shell nproc) -C tests/engine check

engine-tsan: ## Run the engine's tests with threads under ThreadSanitizer
	$(MAKE) -C tests/engine tsan

crash-test: ## Look at a million crash states of the engine (STATES=N, SEED=N)
	$(MAKE) -s -j$(shell nproc) -C tests/engine crash-test

mutation-test: ## Plant bugs in the engine, one by one; the suite must find each (MUTANTS="names")
	tests/mutations/run $(MUTANTS)

fault-test: ## Make every allocation and I/O of every operation of the engine fail, disks lie, and kill -9 it (an hour)
	$(MAKE) -C tests/engine faults

coverage: deps ## Measure what the engine's tests reach of it, into build/coverage/ (fails below the bar)
	$(MAKE) -s -j$(shell nproc) -C tests/engine coverage

check-style: ## Run sparse, checkpatch, shellcheck, cppcheck and the project's own checks
	tests/run --only style

test: deps ## Build and run all tests (TESTS="names" for some, V=1 to see output)
	tests/run $(if $(filter 1,$(V)),-v) --kernel $(KERNEL) $(TESTS)

fuzz: ## Fuzz pools, requests and images (TARGET=name for one, FUZZ_TIME=seconds for each, default 600)
	@scripts/deps.sh build test
	$(MAKE) -s -j$(shell nproc) -C tests/fuzz all
	$(MAKE) -s -C tests/fuzz fuzz

bench: ## Measure layerblk beside dm-thin and the raw disk (BENCH="names", JSON=file, PROFILE=name)
	@scripts/deps.sh build vm
	@tests/bench/run --kernel $(KERNEL) $(if $(JSON),--json $(JSON)) $(if $(PLOT),--plot $(PLOT)) \
		$(if $(PROFILE),--profile $(PROFILE),$(BENCH))

soak: deps ## Power cuts (ROUNDS=100, SEED=), ioctls and writes to the disk followed for hours
	tests/soak --kernel $(KERNEL)

debug-kernel: ## Build the kernel that watches itself (KASAN, lockdep, KUnit, ...), once, into the cache
	@scripts/kernel.sh get debug >/dev/null

# What is left out does not depend on the kernel.
debug-test: deps debug-kernel ## Run KUnit, fault injection and the VM tests on the debug kernel (TESTS="names" for some)
	tests/run $(if $(filter 1,$(V)),-v) --kernel debug --only vm --only vm-own \
		$(if $(TESTS),$(TESTS),'!(dkms-*|quickstart-*|harness-*)')

# A part of it for CI: what is made for this kernel, and a test of each kind of thing the module does.
DEBUG_SHORT := 'kunit-*' 'faults-*' 'module-loads-*' 'control-refuses-*' 'rollback-*' 'snapshot-of-a-busy-*' \
	'pool-full-errors-*' 'reload-keeps-*' 'device-pulled-out' 'grow-online'

debug-test-short: ## The part of debug-test that CI runs
	@$(MAKE) -s debug-test TESTS="$(DEBUG_SHORT)"

vm-shell: module stage ## A shell in a throwaway VM with module and tools
	scripts/vm.sh --verbose --kernel $(KERNEL) --install $(STAGE) \
		--disk scratch=16G,fs=ext4 --disk pool=8G --timeout 86400 --shell

quickstart: ## See it work: a container on a snapshot (HOST=1: this kernel, IMAGE=path: your image)
	@HOST=$(HOST) IMAGE=$(IMAGE) scripts/quickstart.sh

install: ## Install the tools (DESTDIR, PREFIX); the module: modules-install or dkms-install
	$(MAKE) -C userspace install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

modules-install: ## Build and install the module for the running kernel
	@scripts/build-module.sh host
	install -D -m 644 build/kmod-$(shell uname -r)/layerblk.ko \
		$(DESTDIR)/lib/modules/$(shell uname -r)/updates/layerblk.ko
	$(if $(DESTDIR),,depmod)

dkms-install: ## Hand the module's source to DKMS, which builds it for every kernel
	scripts/dkms-install.sh "$(DESTDIR)"

clean: ## Remove build/
	rm -rf build
	-[ ! -f userspace/Makefile ] || $(MAKE) -s -C userspace clean
	-[ ! -f tests/engine/Makefile ] || $(MAKE) -s -C tests/engine clean

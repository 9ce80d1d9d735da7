# Two commands to remember: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format clean train-setup test-train privacy soak

# What the tests run for real: a broker, gpsd with its player, a message bus, a clock that lies,
# a database server, a browser, a compiler for an accelerator that fails when told to.
TEST_PACKAGES := mosquitto mosquitto-clients gpsd gpsd-clients dbus libfaketime systemd postgresql postgresql-postgis chromium curl osmium-tool gcc libc6-dev fdisk e2fsprogs

# $(call debian,PACKAGES): install those that are missing, all at once.
define debian
@missing=""; for p in $(1); do \
	dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q "ok installed" || missing="$$missing $$p"; \
done; \
[ -z "$$missing" ] || { \
	echo "Missing Debian packages:$$missing; installing them."; \
	if [ "$$(id -u)" = 0 ]; then as=""; else as=sudo; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$as apt-get update -qq && $$as apt-get install -y -qq --no-install-recommends $$missing || \
	{ echo "make: cannot install them; run: sudo apt-get install$$missing" >&2; exit 1; }; }
endef

help:
	@echo "make demo           a recorded walk, from pictures to the map"
	@echo "make demo ONCE=1    the same, ends with the table"
	@echo "make test           the tests"
	@echo "make check          linters, types, layers"
	@echo "make soak           100,000 records over a bad line, 200 kills"
	@echo "make faults         the whole system broken on purpose for an hour (SEEDS=10)"
	@echo "make bench          all benchmarks, hours; minutes with ARGS=--quick; build/bench/*.html"
	@echo "make fuzz           feeds every parser for two minutes (NAME=nmea MINUTES=30)"
	@echo "make privacy        attack what a month of volunteers sends; a table, a drawing"
	@echo "make deb            the Debian package for a Pi (DEB='--python 3.11' for Debian 12)"
	@echo "make test-deb       installs, upgrades, purges it in a Debian tree; root, minutes"
	@echo "make test-lens      the lens on the real picamera2 and libcamera, in a Debian tree"
	@echo "make test-arm64     the device's core under arm64 emulation; root, hours"
	@echo "make test-units     boots the units in a container; root, minutes"
	@echo "make test-units-lens  the same with a virtual camera, after make test-lens"
	@echo "make image          the card's image for a Pi; wants Raspberry Pi's archive"
	@echo "make image-qemu     the same for an emulated machine, from Debian alone"
	@echo "make test-image     starts that one, walks, updates, cuts its power; up to 40 minutes"
	@echo "make test-update    of that only the updates"
	@echo "make setup          everything that demo and test need"
	@echo "make train-setup    what training needs, in .venv-train"
	@echo "make test-train     the tests of training"

$(READY): pyproject.toml
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null || $(MAKE) --no-print-directory venv-package
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "make: Python 3.11 or later is needed; PYTHON=... names another" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: venv-package
venv-package:
	$(call debian,python3-venv)

setup: $(READY)
	$(call debian,$(TEST_PACKAGES))

demo: $(READY)
	@$(BIN)/scanner demo $(if $(ONCE),--once)

# Tests wait for servers most of the time: one more at once than there are processors. Each takes
# one of these for its arithmetic, not all.
JOBS ?= $(shell echo $$(($$(nproc) + 1)))
test: setup
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Not part of the tests: half an hour.
soak: setup
	$(BIN)/python -m tests.benchmarks.soak $(ARGS)

# Not part of the tests: four minutes for each seed; SEED=7 is one of them again.
.PHONY: faults
faults: setup
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10)) $(ARGS)

# Not part of the tests: two minutes for each parser, an hour in all; what is found lies in build/fuzz,
# with a line for each run in log.jsonl. The bar is MINUTES=30.
.PHONY: fuzz
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(or $(NAME),all) --minutes $(or $(MINUTES),2)

# Not part of the tests: some minutes with ARGS=--quick, else more than an hour, which may be cut short.
.PHONY: bench
bench: setup
	$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: privacy
privacy: $(READY)
	$(BIN)/python -m tests.attack.report --svg docs/pictures/privacy.svg $(ARGS)

# The package for people who have a Pi already; Raspberry Pi OS 13 unless told otherwise.
DEB ?= --python 3.13 --arch arm64
.PHONY: deb test-deb test-units test-units-lens
deb: $(READY)
	$(BIN)/python firmware/package/build.py $(DEB)

# The real picamera2 and libcamera, and the device's core on another processor: Debian trees below
# build/ (830 MB and 1.5 GB), made once.
.PHONY: test-lens test-arm64
test-lens: $(READY)
	$(call debian,mmdebstrap uidmap)
	tests/lens/tree.sh

test-arm64: $(READY)
	$(call debian,mmdebstrap qemu-user-static qemu-system-arm arch-test cpio)
	$(BIN)/python -m tests.arm64.suite $(ARGS)

# Systems of their own in folders below build/: root and minutes, so not part of the tests.
BOOT_PACKAGES := mmdebstrap systemd-container arch-test
BOOT_TEST := $(BIN)/python -m pytest -o addopts=--import-mode=importlib -o timeout=2400

test-deb: $(READY)
	$(call debian,$(BOOT_PACKAGES))
	$(BOOT_TEST) tests/boot/test_deb.py $(ARGS)

test-units: $(READY)
	$(call debian,$(BOOT_PACKAGES))
	$(BOOT_TEST) tests/boot/test_boot.py $(ARGS)

# The same with libcamera's virtual camera, in the tree that the tests of the lens make.
test-units-lens: $(READY)
	$(call debian,$(BOOT_PACKAGES))
	$(BOOT_TEST) tests/boot/test_lens_boot.py $(ARGS)

# The card's image, and one for an emulated machine; OPTIONS are those of firmware/build.py.
IMAGE_PACKAGES := mmdebstrap arch-test qemu-user-static uidmap squashfs-tools dosfstools mtools genimage kmod openssl xz-utils bmap-tools
# What the emulated machine trusts: makers of updates that exist for the tests alone.
UPDATES := build/firmware/updates
.PHONY: image image-qemu test-image test-update
image: $(READY)
	$(BIN)/python -m firmware.build --target pi $(OPTIONS)

image-qemu: $(READY)
	$(call debian,$(IMAGE_PACKAGES))
	$(BIN)/python -m tests.firmware.releases keys $(UPDATES)
	$(BIN)/python -m firmware.build --target qemu --keep-raw --trust $(UPDATES)/empty/root.json $(OPTIONS)

# CUTS=20: so many power cuts at random instants of first start, walk and update (3 without).
# Its cards lie in a folder of their own: other runs of pytest remove all but the latest.
IMAGE_TEST := $(BIN)/python -m pytest -s -o addopts=--import-mode=importlib -o timeout=7200 -o tmp_path_retention_policy=none --basetemp build/firmware/test
test-image test-update: $(READY)
	$(call debian,qemu-system-arm qemu-utils qemu-efi-aarch64 squashfs-tools uidmap mtools e2fsprogs mosquitto mosquitto-clients)
	$(BIN)/python -m tests.firmware.releases offer $(UPDATES)
	$(IMAGE_TEST) $(if $(filter test-image,$@),tests/firmware/boot_image.py) tests/firmware/boot_update.py $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/contracts/test_ports.py
	$(BIN)/mypy --explicit-package-bases firmware/*.py firmware/package/*.py
	$(BIN)/lint-imports

# Training wants packages of two gigabytes, so it has an environment of its own.
TRAIN := .venv-train

$(TRAIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	@touch $@

train-setup: $(TRAIN)/.ready

test-train: $(TRAIN)/.ready
	$(TRAIN)/bin/python -m pytest -o addopts=--import-mode=importlib tests/train $(ARGS)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

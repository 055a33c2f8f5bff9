# Two commands: `make demo` shows what the program does, `make test` proves it.
# Both install what they need (Debian packages, npm packages pinned by hash) and work again offline.

BUILD   ?= build
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
NINJA    = ninja -C $(BUILD) -j $(JOBS)

.PHONY: all setup setup-gpu demo test bench install clean

all: $(BUILD)/build.ninja
	$(NINJA)

setup:
	tools/setup.sh

# Optional: ONNX Runtime with its CUDA provider, for SAM 2 on a GPU.
setup-gpu: setup
	tools/setup_gpu.sh
	[ ! -f $(BUILD)/build.ninja ] || meson setup --reconfigure $(BUILD)

$(BUILD)/build.ninja: | setup
	meson setup $(BUILD) --prefix=$(PREFIX) --buildtype=release

demo: all
	tools/demo.sh $(BUILD)

test: setup
	tests/run.sh

bench: all
	bench/run.sh $(BUILD)

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	rm -rf build build-* demo

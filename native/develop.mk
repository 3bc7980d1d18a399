# The extension for work on the tree: built with the active environment's Python, placed beside the Python sources.
PYTHON ?= python
NATIVE_BUILD ?= build/dev
NATIVE_BUILD_TYPE ?= Release

.PHONY: develop-native
develop-native:
	cmake -G Ninja -S . -B $(NATIVE_BUILD) -DCMAKE_BUILD_TYPE=$(NATIVE_BUILD_TYPE) -DHALFEVEN_WERROR=ON \
		-DPython_EXECUTABLE="$$($(PYTHON) -c 'import sys; print(sys.executable)')" >/dev/null
	cmake --build $(NATIVE_BUILD)
	cmake -E copy $(NATIVE_BUILD)/_native*.so src/halfeven/

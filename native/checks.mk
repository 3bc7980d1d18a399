# Proofs of the engine beside the tests: random programs, sanitizers, instruction counts.
#   make programs           thousands of random programs against the reference, every instruction set, 1 to 7 threads
#   make sanitize-threads   the same, fewer, under ThreadSanitizer, and many Python threads at once
#   make sanitize-extension the whole extension under AddressSanitizer and UndefinedBehaviorSanitizer: its tests, and programs
#   make instructions       instructions that key kernels execute, against tests/instructions/counts.json
PROGRAMS_ARGS ?=
SANITIZED_PROGRAMS ?= 200
SANITIZED_TESTS ?= tests/execute tests/native
PYTHON_HERE = $(BIN)/python
HERE = PATH="$(abspath $(BIN)):$$PATH"

.PHONY: programs sanitize-threads sanitize-extension instructions

programs: $(VENV)/installed
	$(PYTHON_HERE) tests/programs/run.py $(PROGRAMS_ARGS)

# The extension with a sanitizer, in a package that links to the sources: $(call sanitized,NAME,FLAGS)
define sanitized
	$(HERE) cmake -G Ninja -S . -B build/$(1) -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHALFEVEN_SANITIZE="$(2)" \
		-DPython_EXECUTABLE=$(abspath $(PYTHON_HERE)) >/dev/null
	$(HERE) cmake --build build/$(1)
	rm -rf build/$(1)/site && mkdir -p build/$(1)/site
	cp -rs $(abspath src)/halfeven build/$(1)/site/halfeven
	rm -f build/$(1)/site/halfeven/_native*.so
	cp build/$(1)/_native*.so build/$(1)/site/halfeven/
endef

THREAD_SANITIZER = PYTHONPATH=build/tsan/site OPENBLAS_NUM_THREADS=1 \
	TSAN_OPTIONS="halt_on_error=1 report_signal_unsafe=0 suppressions=$(abspath native/thread_sanitizer.txt)" \
	LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libtsan.so)"

sanitize-threads: $(VENV)/linters
	$(call sanitized,tsan,thread)
	$(THREAD_SANITIZER) $(PYTHON_HERE) tests/programs/callers.py
	$(THREAD_SANITIZER) $(PYTHON_HERE) tests/programs/run.py --count $(SANITIZED_PROGRAMS) --threads 2 3 7 --jobs 1

# Preloaded with the sanitizer: the C++ library whose exceptions it watches. What Python itself never frees is no leak of
# ours; the test that counts allocations preloads a counter of its own.
ADDRESS_SANITIZER = PYTHONPATH=build/asan/site OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libstdc++.so)"

sanitize-extension: $(VENV)/linters
	$(call sanitized,asan,address;undefined)
	$(ADDRESS_SANITIZER) $(PYTHON_HERE) tests/programs/run.py --count $(SANITIZED_PROGRAMS) --threads 1 3 --jobs 1
	$(ADDRESS_SANITIZER) $(PYTHON_HERE) -m pytest -q $(SANITIZED_TESTS) -k "not allocates" -p no:cacheprovider

instructions: $(VENV)/linters
	$(HERE) cmake -S . -B build/lint -G Ninja -DHALFEVEN_WERROR=ON -DPython_EXECUTABLE=$(abspath $(PYTHON_HERE)) >/dev/null
	$(HERE) cmake --build build/lint --target kernel_instructions
	$(PYTHON_HERE) tests/instructions/run.py build/lint/kernel_instructions $(INSTRUCTIONS_ARGS)

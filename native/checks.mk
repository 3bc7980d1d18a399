# Proofs of the engine beside the tests: random programs, sanitizers, instruction counts.
#   make programs           thousands of random programs against the reference, every instruction set, 1 to 7 threads
#   make sanitize-threads   the same, fewer, under ThreadSanitizer, and many Python threads at once
#   make instructions       instructions that key kernels execute, against tests/instructions/counts.json
PROGRAMS_ARGS ?=
SANITIZED_PROGRAMS ?= 200
PYTHON_HERE = $(BIN)/python
HERE = PATH="$(abspath $(BIN)):$$PATH"

.PHONY: programs sanitize-threads instructions

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

instructions: $(VENV)/linters
	$(HERE) cmake -S . -B build/lint -G Ninja -DHALFEVEN_WERROR=ON -DPython_EXECUTABLE=$(abspath $(PYTHON_HERE)) >/dev/null
	$(HERE) cmake --build build/lint --target kernel_instructions
	$(PYTHON_HERE) tests/instructions/run.py build/lint/kernel_instructions $(INSTRUCTIONS_ARGS)

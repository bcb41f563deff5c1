#!/bin/sh
# Compiles the llama.cpp bindings once per machine and prints the folder of the wheel.
# Usage: scripts/llama-wheel.sh PYTHON
#
# The wheel uses AVX2 and nothing newer on x86-64, so it may be carried to another machine. Not native:
# on processors that announce AMX inside a virtual machine that forbids it, a native build crashes.
# LLAMA_CMAKE_ARGS adds options, for example -DGGML_CUDA=on (docs/gpu.md); LLAMA_BUILD_JOBS limits the
# compilers that run at once.
set -eu
cd "$(dirname "$0")/.."
PYTHON=$1
ARGS="-DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DGGML_NATIVE=OFF ${LLAMA_CMAKE_ARGS:-}"

key=$({
    uname -sm
    echo "$ARGS"
    cat scripts/constraints/gpu.txt scripts/gpu/no-common.cmake
} | cksum | cut -d ' ' -f 1)
folder=.cache/wheels/$key
mkdir -p "$folder"
if ! ls "$folder"/llama_cpp_python-*.whl >/dev/null 2>&1; then
    if ! command -v c++ >/dev/null && ! command -v "${CXX:-clang++}" >/dev/null; then
        echo "error: compiling llama.cpp needs a C++ compiler (Debian: apt-get install g++)" >&2
        exit 1
    fi
    # Without pip's own cache, which holds one wheel whatever it was compiled with.
    export CMAKE_ARGS="$ARGS -DCMAKE_PROJECT_INCLUDE=$PWD/scripts/gpu/no-common.cmake"
    export CMAKE_BUILD_PARALLEL_LEVEL="${LLAMA_BUILD_JOBS:-2}"
    nice "$PYTHON" -m pip wheel --progress-bar off --no-cache-dir --no-deps \
        --no-binary llama-cpp-python --wheel-dir "$folder.new" -r scripts/constraints/gpu.txt >&2
    mv "$folder.new"/llama_cpp_python-*.whl "$folder/"
    rm -rf "$folder.new"
fi
echo "$folder"

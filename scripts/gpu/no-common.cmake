# Read after every project() of the build (CMAKE_PROJECT_INCLUDE). llama-cpp-python forces llama.cpp's
# `common` library on, which its Python package never loads: 110 of 193 files that need not be built.
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "not part of the Python package" FORCE)

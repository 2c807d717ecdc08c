#!/bin/sh
# Builds the kernels' tests under the sanitizers and runs them; stops at the first failure.
set -eu
cd "$(dirname "$0")"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
flags="-std=c++20 -g -O1 -Wall -Wextra -Wno-psabi -pthread -DNONNEG_NO_CLONES -I../include"

for sanitizer in "address,undefined -fno-sanitize-recover=all" thread; do
  echo "== -fsanitize=$sanitizer"
  # shellcheck disable=SC2086
  "${CXX:-g++}" $flags -fsanitize=$sanitizer kernels_test.cpp -o "$build/kernels_test"
  "$build/kernels_test"
done

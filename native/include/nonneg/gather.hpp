// Gathers rows of a factor and turns them, so that each component becomes a contiguous vector.
//
// Written entry by entry this scatter took twice as long as a sweep over the block; in tiles of
// 4 × 4, turned in registers, every store writes four entries.
#pragma once

#include <algorithm>
#include <cstring>

#include "views.hpp"

namespace nonneg {

template <class T>
NONNEG_INLINE void turn_tile(const T* const* rows, std::int64_t t, T* out, std::int64_t ld) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
  using V __attribute__((vector_size(4 * sizeof(T)))) = T;
  V a, b, c, d;
  std::memcpy(&a, rows[0] + t, sizeof(V));
  std::memcpy(&b, rows[1] + t, sizeof(V));
  std::memcpy(&c, rows[2] + t, sizeof(V));
  std::memcpy(&d, rows[3] + t, sizeof(V));
  const V ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const V ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const V cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const V cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  std::memcpy(out, &a, sizeof(V));
  std::memcpy(out + ld, &b, sizeof(V));
  std::memcpy(out + 2 * ld, &c, sizeof(V));
  std::memcpy(out + 3 * ld, &d, sizeof(V));
#else
  for (int s = 0; s < 4; ++s)
    for (int j = 0; j < 4; ++j) out[s * ld + j] = rows[j][t + s];
#endif
}

// block[t, p] = F[idx[p], t] for p < n, and 0 for n ≤ p < ld; ld is a multiple of 4, and `zeros`
// holds k of them: the rows that the padding stands for.
template <class T, class I>
NONNEG_INLINE void gather_turned(const I* idx, std::int64_t n, const T* F, int k, std::int64_t ld,
                                 const T* zeros, T* block) {
  const auto source = [&](std::int64_t p) {
    return p < n ? F + static_cast<std::size_t>(idx[p]) * k : zeros;
  };
  for (std::int64_t p = 0; p < ld; p += 4) {
    const T* rows[4] = {source(p), source(p + 1), source(p + 2), source(p + 3)};
    T* out = block + p;
    int t = 0;
    for (; t + 4 <= k; t += 4) turn_tile(rows, t, out + static_cast<std::size_t>(t) * ld, ld);
    if (t < k && k >= 4) {
      t = k - 4;  // the last tile overlaps the one before: the same numbers are written again
      turn_tile(rows, t, out + static_cast<std::size_t>(t) * ld, ld);
      t = k;
    }
    for (; t < k; ++t) {
      for (int j = 0; j < 4; ++j) out[static_cast<std::size_t>(t) * ld + j] = rows[j][t];
    }
  }
}

// out[t, j] = row j of `rows` at t, for j < count ≤ ld and t < n; 0 for count ≤ j < ld.
template <class T>
NONNEG_INLINE void turn_rows(const T* rows, std::int64_t stride, int count, std::int64_t n, T* out,
                             std::int64_t ld) {
  int j = 0;
  for (; j + 4 <= count; j += 4) {
    const T* const four[4] = {rows + j * stride, rows + (j + 1) * stride, rows + (j + 2) * stride,
                              rows + (j + 3) * stride};
    std::int64_t t = 0;
    for (; t + 4 <= n; t += 4) turn_tile(four, t, out + t * ld + j, ld);
    for (; t < n; ++t) {
      for (int l = 0; l < 4; ++l) out[t * ld + j + l] = four[l][t];
    }
  }
  for (; j < ld; ++j) {
    for (std::int64_t t = 0; t < n; ++t) out[t * ld + j] = j < count ? rows[j * stride + t] : T(0);
  }
}

}  // namespace nonneg

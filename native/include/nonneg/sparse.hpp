// Sparse row times dense factor, with the k sums held in registers.
#pragma once

#include "pool.hpp"
#include "views.hpp"

namespace nonneg {

template <class T, class I, int K>
NONNEG_INLINE void row_times_block(const I* idx, const T* x, std::int64_t n, const T* F, int ld,
                                   T* out) {
  T acc[K];
  for (int t = 0; t < K; ++t) acc[t] = 0;
  for (std::int64_t p = 0; p < n; ++p) {
    const T v = x[p];
    const T* f = F + static_cast<std::size_t>(idx[p]) * ld;
    for (int t = 0; t < K; ++t) acc[t] += v * f[t];
  }
  for (int t = 0; t < K; ++t) out[t] = acc[t];
}

// out[t] = Σ_p x[p] F[idx[p], t]
template <class T, class I>
NONNEG_INLINE void row_times(const I* idx, const T* x, std::int64_t n, const T* F, int k, T* out) {
  int t = 0;
  for (; t + 32 <= k; t += 32) row_times_block<T, I, 32>(idx, x, n, F + t, k, out + t);
  if (k - t >= 24) {
    row_times_block<T, I, 24>(idx, x, n, F + t, k, out + t);
    t += 24;
  }
  if (k - t >= 16) {
    row_times_block<T, I, 16>(idx, x, n, F + t, k, out + t);
    t += 16;
  }
  if (k - t >= 8) {
    row_times_block<T, I, 8>(idx, x, n, F + t, k, out + t);
    t += 8;
  }
  if (k - t >= 4) {
    row_times_block<T, I, 4>(idx, x, n, F + t, k, out + t);
    t += 4;
  }
  if (k - t >= 2) {
    row_times_block<T, I, 2>(idx, x, n, F + t, k, out + t);
    t += 2;
  }
  if (k - t >= 1) row_times_block<T, I, 1>(idx, x, n, F + t, k, out + t);
}

template <class T, class I>
NONNEG_CLONES void spmm_rows(const CsrView<T, I>& X, const T* F, int k, std::int64_t begin,
                             std::int64_t end, T* out) {
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t p = X.indptr[i];
    row_times(X.indices + p, X.values + p, X.indptr[i + 1] - p, F, k, out + i * k);
  }
}

// out = X F (rows × k)
template <class T, class I>
void spmm(const CsrView<T, I>& X, const std::vector<std::int64_t>& chunks, const T* F, int k,
          T* out, std::size_t n_threads) {
  Pool::instance().run(chunks.size() - 1, n_threads, [&](std::size_t c, std::size_t) {
    spmm_rows(X, F, k, chunks[c], chunks[c + 1], out);
  });
}

}  // namespace nonneg

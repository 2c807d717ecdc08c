// Gram form of the half-step: quadratic loss with every entry observed.
//
//   min over W ≥ 0 of ½‖X − W Fᵀ‖² = ½‖X‖² − ⟨X F, W⟩ + ½⟨FᵀF, WᵀW⟩
//
// For each block of rows: cross product X F, sweeps, the new WᵀW, ⟨X F, W⟩ and the KKT residual,
// while the block is in cache. One pass over X and no m × k temporary.
#pragma once

#include <memory>

#include "pool.hpp"
#include "sparse.hpp"
#include "sweep.hpp"
#include "views.hpp"

namespace nonneg {

inline void merge(std::vector<StepStats>& parts, StepStats& out, int k) {
  const std::size_t size = static_cast<std::size_t>(k) * k;
  out.gram.assign(size, 0.0);
  for (const StepStats& part : parts) {
    out.cross += part.cross;
    out.loss += part.loss;
    out.residual += part.residual;
    for (std::size_t i = 0; i < part.gram.size(); ++i) out.gram[i] += part.gram[i];
  }
  for (int t = 0; t < k; ++t) {
    for (int s = 0; s < t; ++s) {
      out.gram[static_cast<std::size_t>(s) * k + t] = out.gram[static_cast<std::size_t>(t) * k + s];
    }
  }
}

template <class T, class I>
NONNEG_CLONES void gram_rows_csr(const CsrView<T, I>& X, const T* F, T* W,
                                 const FactorTerms<T>& terms, SweepRule rule, int k,
                                 std::int64_t begin, std::int64_t end, SweepSpace<T>& space,
                                 StepStats& out) {
  constexpr int L = kLanes<T>;
  T* cross = space.rows.data();
  for (std::int64_t i = begin; i < end; i += L) {
    const int n = static_cast<int>(std::min<std::int64_t>(L, end - i));
    for (int l = 0; l < n; ++l) {
      const std::int64_t p = X.indptr[i + l];
      row_times(X.indices + p, X.values + p, X.indptr[i + l + 1] - p, F, k,
                cross + static_cast<std::size_t>(l) * k);
    }
    const std::uint8_t* fixed = terms.fixed ? terms.fixed + i * k : nullptr;
    sweep_rows(cross, W + i * k, fixed, n, k, terms, rule, space, out);
  }
}

template <class T>
NONNEG_CLONES void gram_rows_cross(const T* cross, T* W, const FactorTerms<T>& terms,
                                   SweepRule rule, int k, std::int64_t begin, std::int64_t end,
                                   SweepSpace<T>& space, StepStats& out) {
  constexpr int L = kLanes<T>;
  for (std::int64_t i = begin; i < end; i += L) {
    const int n = static_cast<int>(std::min<std::int64_t>(L, end - i));
    const std::uint8_t* fixed = terms.fixed ? terms.fixed + i * k : nullptr;
    sweep_rows(cross + i * k, W + i * k, fixed, n, k, terms, rule, space, out);
  }
}

// Runs `body(begin, end, space, stats)` over the chunks and adds up the stats in chunk order.
template <class T, class Body>
StepStats gram_pass(const std::vector<std::int64_t>& chunks, const T* G, int k, double l2,
                    std::size_t n_threads, const Body& body) {
  const std::size_t n_chunks = chunks.size() - 1;
  std::vector<StepStats> parts(n_chunks);
  n_threads = std::max<std::size_t>(1, std::min(n_threads, n_chunks));
  std::vector<std::unique_ptr<SweepSpace<T>>> spaces(n_threads);
  for (auto& space : spaces) {
    space = std::make_unique<SweepSpace<T>>(k);
    space->load_gram(G, k, l2);
  }
  Pool::instance().run(n_chunks, n_threads, [&](std::size_t c, std::size_t worker) {
    parts[c].gram.assign(static_cast<std::size_t>(k) * k, 0.0);
    body(chunks[c], chunks[c + 1], *spaces[worker], parts[c]);
  });
  StepStats out;
  merge(parts, out, k);
  return out;
}

template <class T, class I>
StepStats gram_step_csr(const CsrView<T, I>& X, const std::vector<std::int64_t>& chunks, const T* F,
                        const T* G, T* W, int k, const FactorTerms<T>& terms, SweepRule rule,
                        std::size_t n_threads) {
  return gram_pass<T>(chunks, G, k, terms.l2, n_threads,
                      [&](std::int64_t b, std::int64_t e, SweepSpace<T>& space, StepStats& out) {
                        gram_rows_csr(X, F, W, terms, rule, k, b, e, space, out);
                      });
}

// The same with the cross products given (rows × k): dense data, whose product is BLAS's work.
template <class T>
StepStats gram_step_cross(const T* cross, std::int64_t rows, const T* G, T* W, int k,
                          const FactorTerms<T>& terms, SweepRule rule, std::size_t n_threads) {
  const auto chunks = dense_chunks(rows, static_cast<std::int64_t>(k) * k);
  return gram_pass<T>(chunks, G, k, terms.l2, n_threads,
                      [&](std::int64_t b, std::int64_t e, SweepSpace<T>& space, StepStats& out) {
                        gram_rows_cross(cross, W, terms, rule, k, b, e, space, out);
                      });
}

template <class T>
NONNEG_CLONES void extrapolate_rows(const T* now, const T* before, T reach, T lower, T upper, int k,
                                    std::int64_t begin, std::int64_t end, T* out,
                                    SweepSpace<T>& space, StepStats& stats) {
  constexpr int L = kLanes<T>;
  for (std::int64_t i = begin; i < end; i += L) {
    const int n = static_cast<int>(std::min<std::int64_t>(L, end - i));
    const std::size_t at = static_cast<std::size_t>(i) * k, count = static_cast<std::size_t>(n) * k;
    for (std::size_t j = at; j < at + count; ++j) {
      T v = now[j] + reach * (now[j] - before[j]);
      v = v > lower ? v : lower;
      out[j] = v < upper ? v : upper;
    }
    add_gram(out + at, n, k, space.small_gram.data(), stats.gram.data());
  }
}

// out = now + reach (now − before), moved into the bounds; stats.gram is its Gram matrix.
template <class T>
StepStats extrapolate(const T* now, const T* before, std::int64_t rows, int k, double reach,
                      double lower, double upper, T* out, std::size_t n_threads) {
  const auto chunks = dense_chunks(rows, static_cast<std::int64_t>(k) * k);
  const std::vector<T> no_gram(static_cast<std::size_t>(k) * k, T(0));
  return gram_pass<T>(chunks, no_gram.data(), k, 0.0, n_threads,
                      [&](std::int64_t b, std::int64_t e, SweepSpace<T>& space, StepStats& stats) {
                        extrapolate_rows(now, before, static_cast<T>(reach), static_cast<T>(lower),
                                         static_cast<T>(upper), k, b, e, out, space, stats);
                      });
}

}  // namespace nonneg

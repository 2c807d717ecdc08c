// Coordinate descent sweeps for many rows at once against one k × k Gram matrix.
//
// Row i minimises ½ w G w − c·w + l1 Σ w + ½ l2 |w|² over lower ≤ w ≤ upper. L rows are turned so
// that lane l of every vector belongs to row l: then each coordinate update is L independent
// scalar updates in full-width arithmetic (Cichocki & Phan 2009, HALS; several sweeps before the
// next pass over X as in Gillis & Glineur 2012).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "views.hpp"

namespace nonneg {

template <class T>
constexpr int kLanes = sizeof(T) == 4 ? 32 : 16;

// h, c, free_: k × L. Adds Σ diag·move² of the first sweep to `residual`.
template <class T, int L, bool kMasked>
NONNEG_INLINE void sweep_lanes(const T* G, const T* diag, const T* inverse, const T* c,
                               const T* free_, T* h, int k, T lower, T upper, SweepRule rule,
                               double& residual) {
  double first = 0;
  for (int it = 0; it < rule.max_sweeps; ++it) {
    T moved[L];
    for (int l = 0; l < L; ++l) moved[l] = 0;
    for (int t = 0; t < k; ++t) {
      if (!(diag[t] > 0)) {
        // An empty component fits nothing: an L1 term (c < 0) leaves it no reason to be.
        for (int l = 0; l < L; ++l) {
          T d = c[t * L + l] < 0 ? (lower > 0 ? lower : T(0)) - h[t * L + l] : T(0);
          if constexpr (kMasked) d *= free_[t * L + l];
          h[t * L + l] += d;
        }
        continue;
      }
      T acc[L];
      for (int l = 0; l < L; ++l) acc[l] = c[t * L + l];
      const T* g = G + static_cast<std::size_t>(t) * k;
      for (int s = 0; s < k; ++s) {
        const T gs = g[s];
        const T* hs = h + static_cast<std::size_t>(s) * L;
        for (int l = 0; l < L; ++l) acc[l] -= gs * hs[l];
      }
      T* ht = h + static_cast<std::size_t>(t) * L;
      for (int l = 0; l < L; ++l) {
        T w = ht[l] + acc[l] * inverse[t];
        w = w > lower ? w : lower;
        w = w < upper ? w : upper;
        T d = w - ht[l];
        if constexpr (kMasked) d *= free_[t * L + l];
        moved[l] += diag[t] * d * d;
        ht[l] += d;
      }
    }
    double total = 0;
    for (int l = 0; l < L; ++l) total += moved[l];
    if (it == 0) {
      first = total;
      residual += total;
    }
    if (total <= rule.tolerance * rule.tolerance * first) break;
  }
}

// The scratch of one worker; sized once, so that the loop over rows never allocates.
template <class T>
struct SweepSpace {
  static constexpr int L = kLanes<T>;
  std::vector<T> gram, diag, inverse, c, h, free_, rows, small_gram;
  std::vector<double> partial;

  explicit SweepSpace(int k)
      : gram(static_cast<std::size_t>(k) * k),
        diag(k),
        inverse(k),
        c(static_cast<std::size_t>(k) * L),
        h(c.size()),
        free_(c.size()),
        rows(c.size()),
        small_gram(gram.size()) {}

  void load_gram(const T* G, int k, double l2) {
    std::copy(G, G + gram.size(), gram.begin());
    for (int t = 0; t < k; ++t) {
      T& d = gram[static_cast<std::size_t>(t) * k + t];
      d += static_cast<T>(l2);
      diag[t] = d;
      inverse[t] = d > 0 ? 1 / d : 0;
    }
  }
};

// gram += wᵀw over n rows of w. Zeros are skipped: good factors have many.
template <class T>
NONNEG_INLINE void add_gram(const T* w, int n, int k, T* small_gram, double* gram) {
  const std::size_t size = static_cast<std::size_t>(k) * k;
  std::fill(small_gram, small_gram + size, T(0));
  for (int r = 0; r < n; ++r) {
    const T* row = w + static_cast<std::size_t>(r) * k;
    for (int t = 0; t < k; ++t) {
      const T wt = row[t];
      if (wt == 0) continue;
      T* g = small_gram + static_cast<std::size_t>(t) * k;
      for (int s = 0; s <= t; ++s) g[s] += wt * row[s];
    }
  }
  for (int t = 0; t < k; ++t) {
    for (int s = 0; s <= t; ++s) {
      gram[static_cast<std::size_t>(t) * k + s] += small_gram[static_cast<std::size_t>(t) * k + s];
    }
  }
}

// Updates n ≤ L rows of w in place from their cross products (both row-major, k wide), and adds
// what was measured to `out` (out.gram: lower triangle).
template <class T>
NONNEG_INLINE void sweep_rows(const T* cross, T* w, const std::uint8_t* fixed, int n, int k,
                              const FactorTerms<T>& terms, SweepRule rule, SweepSpace<T>& space,
                              StepStats& out) {
  constexpr int L = kLanes<T>;
  T* c = space.c.data();
  T* h = space.h.data();
  const T l1 = static_cast<T>(terms.l1);
  if (n < L) {
    std::fill(space.c.begin(), space.c.end(), T(0));
    std::fill(space.h.begin(), space.h.end(), std::max(T(0), static_cast<T>(terms.lower)));
  }
  for (int l = 0; l < n; ++l) {
    const std::size_t at = static_cast<std::size_t>(l) * k;
    for (int t = 0; t < k; ++t) {
      c[t * L + l] = cross[at + t] - l1;
      h[t * L + l] = w[at + t];
    }
  }
  double residual = 0;
  const T lower = static_cast<T>(terms.lower);
  const T upper = static_cast<T>(terms.upper);
  if (fixed != nullptr) {
    std::fill(space.free_.begin(), space.free_.end(), T(0));
    for (int l = 0; l < n; ++l) {
      for (int t = 0; t < k; ++t) {
        space.free_[t * L + l] = fixed[static_cast<std::size_t>(l) * k + t] ? T(0) : T(1);
      }
    }
    sweep_lanes<T, L, true>(space.gram.data(), space.diag.data(), space.inverse.data(), c,
                            space.free_.data(), h, k, lower, upper, rule, residual);
  } else {
    sweep_lanes<T, L, false>(space.gram.data(), space.diag.data(), space.inverse.data(), c, nullptr,
                             h, k, lower, upper, rule, residual);
  }
  out.residual += residual;
  double dot = 0;
  for (int l = 0; l < n; ++l) {
    const std::size_t at = static_cast<std::size_t>(l) * k;
    T row_dot = 0;
    for (int t = 0; t < k; ++t) {
      const T value = h[t * L + l];
      w[at + t] = value;
      row_dot += value * cross[at + t];
    }
    dot += row_dot;
  }
  out.cross += dot;
  add_gram(w, n, k, space.small_gram.data(), out.gram.data());
}

}  // namespace nonneg

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

// Components whose slopes are summed together, so that as many sums as there are registers for
// run at once (an addition waits four cycles for the one before).
constexpr int kTogether = 4;

// Coordinates are stored in fours: g[s·4 + b] is G of row s and the b-th of four columns.
// slopes[b·L + l] = c − Σ_s g h, for four components and all lanes.
template <class T, int L>
NONNEG_INLINE void four_slopes(const T* g, const T* c, const T* h, int k, T* slopes) {
  constexpr int half = L / 2;
  // The loop over lanes is the outer one, for the compiler to vectorise with its sums in registers.
#pragma GCC ivdep
  for (int l = 0; l < half; ++l) {
    T a0 = c[l], a1 = c[L + l], a2 = c[2 * L + l], a3 = c[3 * L + l];
    const T* there = c + half;
    T b0 = there[l], b1 = there[L + l], b2 = there[2 * L + l], b3 = there[3 * L + l];
    for (int s = 0; s < k; ++s) {
      const T x = h[s * L + l], y = h[s * L + half + l];
      const T g0 = g[4 * s], g1 = g[4 * s + 1], g2 = g[4 * s + 2], g3 = g[4 * s + 3];
      a0 -= g0 * x;
      a1 -= g1 * x;
      a2 -= g2 * x;
      a3 -= g3 * x;
      b0 -= g0 * y;
      b1 -= g1 * y;
      b2 -= g2 * y;
      b3 -= g3 * y;
    }
    T* out = slopes + half;
    slopes[l] = a0;
    slopes[L + l] = a1;
    slopes[2 * L + l] = a2;
    slopes[3 * L + l] = a3;
    out[l] = b0;
    out[L + l] = b1;
    out[2 * L + l] = b2;
    out[3 * L + l] = b3;
  }
}

// c, h, free_: components × L, c rounded up to fours. Adds Σ diag·move² of the first sweep to
// `residual`.
template <class T, int L, bool kMasked>
NONNEG_INLINE void sweep_lanes(const T* G, const T* diag, const T* inverse, const T* c,
                               const T* free_, T* h, int k, T lower, T upper, SweepRule rule,
                               double& residual) {
  double first = 0;
  for (int it = 0; it < rule.max_sweeps; ++it) {
    T moved[L];
    for (int l = 0; l < L; ++l) moved[l] = 0;
    for (int t0 = 0; t0 < k; t0 += kTogether) {
      T slopes[kTogether * L];
      const T* g = G + static_cast<std::size_t>(t0) * k;
      four_slopes<T, L>(g, c + t0 * L, h, k, slopes);
      const int n = std::min(kTogether, k - t0);
      for (int b = 0; b < n; ++b) {
        const int t = t0 + b;
        T* ht = h + static_cast<std::size_t>(t) * L;
        T d[L];
        if (!(diag[t] > 0)) {
          // An empty component fits nothing: an L1 term (c < 0) leaves it no reason to be.
          const T rest = lower > 0 ? lower : T(0);
          for (int l = 0; l < L; ++l) d[l] = c[t * L + l] < 0 ? rest - ht[l] : T(0);
        } else {
          for (int l = 0; l < L; ++l) {
            T w = ht[l] + slopes[b * L + l] * inverse[t];
            w = w > lower ? w : lower;
            w = w < upper ? w : upper;
            d[l] = w - ht[l];
          }
        }
        if constexpr (kMasked) {
          for (int l = 0; l < L; ++l) d[l] *= free_[t * L + l];
        }
        for (int l = 0; l < L; ++l) {
          moved[l] += diag[t] * d[l] * d[l];
          ht[l] += d[l];
        }
        // The slopes of those that follow were summed before this one moved.
        for (int later = b + 1; later < n; ++later) {
          const T step = g[static_cast<std::size_t>(t) * kTogether + later];
          for (int l = 0; l < L; ++l) slopes[later * L + l] -= step * d[l];
        }
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

// A tile of a Gram matrix, whose sums stay in registers. Rows are cut into strips of 16 columns, so
// that the compiler knows how far apart they are.
constexpr int kTileRows = 8, kStrip = 16;

// tile[a·16 + b] = Σ_r y[r, a] x[r, b] over n rows.
template <class T>
NONNEG_INLINE void gram_tile(const T* y, const T* x, int n, T* tile) {
#pragma GCC ivdep
  for (int b = 0; b < kStrip; ++b) {
    T a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0;
    for (int r = 0; r < n; ++r) {
      const T v = x[r * kStrip + b];
      a0 += y[r * kStrip] * v;
      a1 += y[r * kStrip + 1] * v;
      a2 += y[r * kStrip + 2] * v;
      a3 += y[r * kStrip + 3] * v;
      a4 += y[r * kStrip + 4] * v;
      a5 += y[r * kStrip + 5] * v;
      a6 += y[r * kStrip + 6] * v;
      a7 += y[r * kStrip + 7] * v;
    }
    tile[b] = a0;
    tile[kStrip + b] = a1;
    tile[2 * kStrip + b] = a2;
    tile[3 * kStrip + b] = a3;
    tile[4 * kStrip + b] = a4;
    tile[5 * kStrip + b] = a5;
    tile[6 * kStrip + b] = a6;
    tile[7 * kStrip + b] = a7;
  }
}

inline int strips(int k) { return (k + kStrip - 1) / kStrip; }

// gram += wᵀw (lower triangle) over n ≤ L rows of w; scratch as `SweepSpace` has it, where what
// stands beyond column k is zero.
template <class T>
NONNEG_INLINE void add_gram(const T* w, int n, int k, T* scratch, double* gram) {
  constexpr int step = kLanes<T> * kStrip;
  T* tile = scratch + strips(k) * step;
  for (int s = 0; s < k; s += kStrip) {
    T* to = scratch + s / kStrip * step;
    const int wide = std::min(kStrip, k - s);
    if (wide == kStrip) {
      for (int r = 0; r < n; ++r) std::copy_n(w + r * k + s, kStrip, to + r * kStrip);
    } else {
      for (int r = 0; r < n; ++r) {
        for (int j = 0; j < wide; ++j) to[r * kStrip + j] = w[r * k + s + j];
      }
    }
  }
  for (int t0 = 0; t0 < k; t0 += kTileRows) {
    const int last_row = std::min(t0 + kTileRows, k);
    for (int s0 = 0; s0 < last_row; s0 += kStrip) {
      const T* y = scratch + t0 / kStrip * step + t0 % kStrip;
      gram_tile(y, scratch + s0 / kStrip * step, n, tile);
      for (int t = t0; t < last_row; ++t) {
        double* to = gram + static_cast<std::size_t>(t) * k + s0;
        const T* from = tile + (t - t0) * kStrip;
        const int count = std::min(kStrip, t - s0 + 1);
        for (int s = 0; s < count; ++s) to[s] += from[s];
      }
    }
  }
}

// The scratch of one worker; sized once, so that the loop over rows never allocates.
template <class T>
struct SweepSpace {
  static constexpr int L = kLanes<T>;
  std::vector<T> gram, diag, inverse, c, h, free_, rows, small_gram;

  explicit SweepSpace(int k)
      : gram(in_fours(k) * static_cast<std::size_t>(k)),
        diag(k),
        inverse(k),
        c(in_fours(k) * L),
        h(c.size()),
        free_(c.size()),
        rows(c.size()),
        small_gram(gram_scratch(k)) {}

  static std::size_t in_fours(int k) {
    return static_cast<std::size_t>((k + kTogether - 1) / kTogether) * kTogether;
  }

  void load_gram(const T* G, int k, double l2) {
    std::fill(gram.begin(), gram.end(), T(0));
    for (int t = 0; t < k; ++t) {
      T* column = gram.data() + static_cast<std::size_t>(t / kTogether) * kTogether * k;
      for (int s = 0; s < k; ++s) {
        const T value = G[static_cast<std::size_t>(t) * k + s];
        column[s * kTogether + t % kTogether] = s == t ? value + static_cast<T>(l2) : value;
      }
      diag[t] = column[t * kTogether + t % kTogether];
      inverse[t] = diag[t] > 0 ? 1 / diag[t] : 0;
    }
  }

  static std::size_t gram_scratch(int k) {
    return static_cast<std::size_t>(strips(k)) * L * kStrip + kTileRows * kStrip;
  }
};

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
  T dots[L];
  for (int l = 0; l < L; ++l) dots[l] = 0;
  for (int t = 0; t < k; ++t) {
    for (int l = 0; l < L; ++l) dots[l] += h[t * L + l] * (c[t * L + l] + l1);
  }
  for (int l = 0; l < n; ++l) {
    for (int t = 0; t < k; ++t) w[l * k + t] = h[t * L + l];
    out.cross += dots[l];
  }
  add_gram(w, n, k, space.small_gram.data(), out.gram.data());
}

}  // namespace nonneg

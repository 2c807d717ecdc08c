// Entry form of the half-step: losses that are sums over entries, some of which may be missing.
//
// For each row the fixed factor's rows at the entries in question are gathered into a transposed
// block B (k × n, one contiguous vector a component), so every update of a coordinate is a
// vectorised sum over entries:
//   quadratic (Yu et al. 2012, CCD)      w_t ← (Σ ω r b_t + w_t Σ ω b_t² − l1) / (Σ ω b_t² + l2)
//   Kullback–Leibler (Hsieh & Dhillon 2011, with a rational instead of a linear model, below)
//   any β (Févotte & Idier 2011)         w_t ← w_t (Σ ω x y^(β−2) b_t / Σ ω y^(β−1) b_t)^γ
// Three ways of saying which entries count:
//   stored    those stored in the sparse rows; all others are missing
//   nonzero   those stored; all others are observed zeros (KL: their part is a column sum)
//   full      every column, from a dense row or a sparse one spread out
#pragma once

#include <cmath>
#include <limits>
#include <memory>

#include "beta.hpp"
#include "gather.hpp"
#include "pool.hpp"
#include "views.hpp"

namespace nonneg {

// Sweeps between two that look at the zero entries again.
constexpr int kFullEvery = 8;
// A sweep that moves less than this part of the first (squared) has nothing left to do but that.
constexpr double kStill = 1e-10;
// Kullback–Leibler: a sweep worth no more than this part of the row's total has moved nothing by
// more than a few millionths, however little the first one moved. Without it a half-step to the
// optimum that starts next to it goes on until rounding stops it.
constexpr double kSettled = 1e-14;

enum class Update : int { kDescend = 0, kMultiply = 1, kMeasure = 2 };

template <class T>
struct EntryTask {
  const T* F = nullptr;               // cols × k, the fixed factor
  const T* Ft = nullptr;              // k × cols, its transpose (full rows)
  const T* sums = nullptr;            // k, its column sums (nonzero rows)
  const T* column_weights = nullptr;  // cols, or null
  T* W = nullptr;                     // rows × k
  int k = 0;
  Loss loss;
  Update update = Update::kDescend;
  FactorTerms<T> terms;
  SweepRule rule;
  bool cautious = false;  // KL: never step left of the multiplicative update (monotone)
  bool measure = true;    // also compute the loss at the new W
  std::int64_t gather_limit = std::int64_t(1) << 21;  // elements of B one worker may hold
};

// Rows are short (tens of entries), so the scalar rest of a vector loop would cost as much as the
// loop. Beyond kShort it does not.
constexpr std::int64_t kShort = 512;
template <class T>
NONNEG_INLINE std::int64_t padded(std::int64_t n) {
  constexpr std::int64_t lanes = 32 / sizeof(T);
  return (n + lanes - 1) / lanes * lanes;
}

template <class T>
struct EntrySpace {
  std::vector<T> block, x, y, weights, numerator, denominator, curvature, sums, column, gradient,
      zeros, gram;
  std::vector<int> active;

  void size(std::int64_t n, int k, bool gather, std::int64_t limit) {
    const auto grow = [](std::vector<T>& v, std::size_t s) {
      if (v.size() < s) v.resize(s);
    };
    const auto count = static_cast<std::size_t>(padded<T>(n));
    if (gather) grow(block, n * k <= limit ? count * static_cast<std::size_t>(k) : 0);
    if (gather && n * k > limit) grow(column, 3 * count);
    for (auto* v : {&x, &y, &weights, &numerator, &denominator}) grow(*v, count);
    for (auto* v : {&curvature, &sums, &gradient, &zeros}) grow(*v, static_cast<std::size_t>(k));
    grow(gram, static_cast<std::size_t>(k) * static_cast<std::size_t>(k));
    if (active.size() < static_cast<std::size_t>(k)) active.resize(static_cast<std::size_t>(k));
  }
};

// The entries of one row as the updates see them.
template <class T, class I>
struct EntryRow {
  const T* F;
  const I* idx;    // null for full rows
  const T* block;  // k × n, or null where it would be too large: then columns are re-gathered
  T* column;
  const T* x;
  const T* weights;    // null for all ones
  std::int64_t n;      // entries the loops run over: gathered rows are padded to whole vectors
  std::int64_t count;  // entries that are there; the padding has x = 0 and B = 0
  int k;

  // `slot` < 3 says which of the columns re-gathered at the same time it may overwrite.
  NONNEG_INLINE const T* component(int t, int slot = 0) const {
    if (block != nullptr) return block + static_cast<std::size_t>(t) * static_cast<std::size_t>(n);
    T* out = column + slot * n;
    for (std::int64_t p = 0; p < n; ++p) out[p] = F[static_cast<std::size_t>(idx[p]) * k + t];
    return out;
  }
};

template <class T, class I>
NONNEG_INLINE void model_values(const EntryRow<T, I>& row, const T* w, T* y, int* used) {
  int n_used = 0;
  for (int t = 0; t < row.k; ++t) {
    used[n_used] = t;
    n_used += w[t] != 0;
  }
  std::fill(y, y + row.n, T(0));
  int i = 0;
  // Four components a pass, so that y is loaded and stored a quarter as often.
  for (; row.block != nullptr && i + 4 <= n_used; i += 4) {
    const T *b0 = row.component(used[i]), *b1 = row.component(used[i + 1]),
            *b2 = row.component(used[i + 2]), *b3 = row.component(used[i + 3]);
    const T w0 = w[used[i]], w1 = w[used[i + 1]], w2 = w[used[i + 2]], w3 = w[used[i + 3]];
    for (std::int64_t p = 0; p < row.n; ++p) {
      y[p] += (w0 * b0[p] + w1 * b1[p]) + (w2 * b2[p] + w3 * b3[p]);
    }
  }
  for (; i < n_used; ++i) {
    const T* b = row.component(used[i]);
    const T wt = w[used[i]];
    for (std::int64_t p = 0; p < row.n; ++p) y[p] += wt * b[p];
  }
}

template <class T>
NONNEG_INLINE T clamp_to(T v, const FactorTerms<T>& terms) {
  const T lower = static_cast<T>(terms.lower), upper = static_cast<T>(terms.upper);
  v = v > lower ? v : lower;
  return v < upper ? v : upper;
}

// The sweeps after the first against the Gram matrix G = B Ω Bᵀ of the row: k² each instead of n k,
// which pays where the optimum itself is wanted and the row is long. `gradient` is B Ω r.
template <class T>
NONNEG_INLINE void descend_row_gram(const T* G, T* gradient, int k, T* w, T l1, T l2,
                                    const FactorTerms<T>& terms, const std::uint8_t* fixed,
                                    SweepRule rule, double first) {
  const double goal = rule.tolerance * rule.tolerance * first;
  bool all = true;
  for (int it = 1; it < rule.max_sweeps; ++it) {
    double moved = 0;
    for (int t = 0; t < k; ++t) {
      if (fixed != nullptr && fixed[t]) continue;
      if (!all && w[t] == 0) continue;
      const T* g = G + static_cast<std::size_t>(t) * k;
      const T h = g[t] + l2;
      if (!(h > 0)) continue;
      const T d = clamp_to(w[t] + (gradient[t] - l1 - l2 * w[t]) / h, terms) - w[t];
      if (d == 0) continue;
      w[t] += d;
      moved += static_cast<double>(h) * d * d;
      for (int s = 0; s < k; ++s) gradient[s] -= d * g[s];
    }
    if (moved <= goal && all) break;
    all = moved <= std::max(goal, kStill * first) || it % kFullEvery == kFullEvery - 1;
  }
}

// Where a row's Gram matrix pays: so many sweeps are allowed that the optimum is wanted.
constexpr int kManySweeps = 50;

// y holds the model values on entry and on return.
template <class T, class I>
NONNEG_INLINE double descend_quadratic(const EntryRow<T, I>& row, T* w, T* y, const T* omega,
                                       const FactorTerms<T>& terms, const std::uint8_t* fixed,
                                       SweepRule rule, T* curvature, T* gradient, T* gram,
                                       int* used) {
  const std::int64_t n = row.n;
  T* r = y;
  for (std::int64_t p = 0; p < n; ++p) r[p] = row.x[p] - y[p];
  const T l1 = static_cast<T>(terms.l1);
  const T l2 = static_cast<T>(terms.l2 + terms.l2_per_entry * static_cast<double>(row.count));
  double first = 0;
  bool all = true;  // else only what is not zero: most entries of good factors are, and stay so
  for (int it = 0; it < rule.max_sweeps; ++it) {
    double moved = 0;
    for (int t = 0; t < row.k; ++t) {
      if (fixed != nullptr && fixed[t]) continue;
      if (!all && w[t] == 0) continue;
      const T* b = row.component(t);
      T g = 0;
      if (it == 0) {
        T h = 0;
        if (omega != nullptr) {
          for (std::int64_t p = 0; p < n; ++p) {
            const T wb = omega[p] * b[p];
            g += wb * r[p];
            h += wb * b[p];
          }
        } else {
          for (std::int64_t p = 0; p < n; ++p) {
            g += b[p] * r[p];
            h += b[p] * b[p];
          }
        }
        curvature[t] = h;
      } else if (omega != nullptr) {
        for (std::int64_t p = 0; p < n; ++p) g += omega[p] * b[p] * r[p];
      } else {
        for (std::int64_t p = 0; p < n; ++p) g += b[p] * r[p];
      }
      const T h = curvature[t] + l2;
      if (!(h > 0)) {
        // It fits nothing; if it costs, there is no reason for it to be.
        if (l1 > 0) w[t] = static_cast<T>(std::max(terms.lower, 0.0));
        continue;
      }
      const T d = clamp_to(w[t] + (g - l1 - l2 * w[t]) / h, terms) - w[t];
      if (d == 0) continue;
      w[t] += d;
      moved += static_cast<double>(h) * d * d;
      for (std::int64_t p = 0; p < n; ++p) r[p] -= d * b[p];
    }
    if (it == 0) first = moved;
    const double goal = rule.tolerance * rule.tolerance * first;
    if (moved <= goal && all) break;
    all = moved <= std::max(goal, kStill * first) || it % kFullEvery == kFullEvery - 1;
    if (it == 0 && gram != nullptr && rule.max_sweeps >= kManySweeps && n > row.k) {
      for (int t = 0; t < row.k; ++t) {
        const T* b = row.component(t);
        T g = 0;
        for (std::int64_t p = 0; p < n; ++p)
          g += (omega != nullptr ? omega[p] : T(1)) * b[p] * r[p];
        gradient[t] = g;
        for (int s = 0; s <= t; ++s) {
          const T* c = row.component(s);
          T v = 0;
          if (omega != nullptr) {
            for (std::int64_t p = 0; p < n; ++p) v += omega[p] * b[p] * c[p];
          } else {
            for (std::int64_t p = 0; p < n; ++p) v += b[p] * c[p];
          }
          gram[static_cast<std::size_t>(t) * row.k + s] = v;
          gram[static_cast<std::size_t>(s) * row.k + t] = v;
        }
      }
      descend_row_gram(gram, gradient, row.k, w, l1, l2, terms, fixed, rule, first);
      model_values(row, w, y, used);
      return first;
    }
  }
  for (std::int64_t p = 0; p < n; ++p) y[p] = row.x[p] - r[p];
  return first;
}

// Kullback–Leibler: f(w + d) = Σ S_t d_t − Σ a log(y + B d), so f_t' = S_t − φ_t with
// φ_t(d) = Σ a b_t/(y + B d). We match its value g_t = Σ a b_t/y and its slopes c_ts = Σ a b_t
// b_s/y² by the rational g_t²/(g_t + Σ_s c_ts d_s), which stays positive for every feasible d, and
// set one component after the other to the root of its own: d_t = (g_t²/S_t − D_t)/c_tt, where D_t
// is g_t plus what the moves before it in the block have added. Exact where one component explains
// the row, a Newton step where many do. For a block of one, 1/φ is concave, hence a step to the
// right never overshoots; one to the left may, and `cautious` (always in blocks of one) bounds it
// by the multiplicative update w g/S, which never does. Without it a step left keeps 1 % of the
// value. With a ridge l2 the slope S grows by l2 d, and the root is that of a quadratic equation.
//
// Blocks of three share the divisions, and the arithmetic between two passes over the entries,
// which for short rows takes as long as the passes.
template <int kBlock, class T, class I>
NONNEG_INLINE double kl_block(const EntryRow<T, I>& row, const int* ts, T* w, T* y, const T* sums,
                              T l1, T l2, T lower, T upper, T floor, bool cautious) {
  static_assert(kBlock <= 3);
  const T* b0 = row.component(ts[0]);
  const T* b1 = kBlock > 1 ? row.component(ts[kBlock > 1 ? 1 : 0], 1) : b0;
  const T* b2 = kBlock > 2 ? row.component(ts[kBlock > 2 ? 2 : 0], 2) : b0;
  T g0 = 0, g1 = 0, g2 = 0, c00 = 0, c10 = 0, c11 = 0, c20 = 0, c21 = 0, c22 = 0;
  each_weighted(
      row.weights, row.n, NONNEG_BODY {
        const T inverse = 1 / (y[p] > floor ? y[p] : floor);
        const T z = weight * row.x[p] * inverse;
        const T v0 = z * inverse * b0[p];
        g0 += z * b0[p];
        c00 += v0 * b0[p];
        if constexpr (kBlock > 1) {
          const T v1 = z * inverse * b1[p];
          g1 += z * b1[p];
          c10 += v0 * b1[p];
          c11 += v1 * b1[p];
          if constexpr (kBlock > 2) {
            g2 += z * b2[p];
            c20 += v0 * b2[p];
            c21 += v1 * b2[p];
            c22 += z * inverse * b2[p] * b2[p];
          }
        }
      });
  const T g[3] = {g0, g1, g2};
  const T c[3][3] = {{c00, c10, c20}, {c10, c11, c21}, {c20, c21, c22}};
  T slope[3], goal[3], inverse_h[3], keep[3], d[3];
  bool decided[3];
  // Everything that does not wait for the moves before it, so that the divisions overlap.
  for (int i = 0; i < kBlock; ++i) {
    const T wt = w[ts[i]];
    slope[i] = sums[ts[i]] + l1 + l2 * wt;
    const T multiplicative = g[i] / slope[i];
    goal[i] = g[i] * multiplicative;
    inverse_h[i] = 1 / c[i][i];
    keep[i] = wt * (cautious ? multiplicative : T(0.01));
    // Undecided where the component is empty on both sides, or so small that its square underflows.
    decided[i] = slope[i] > 0 && (c[i][i] > 0 || !(g[i] > 0));
  }
  T moved = 0;
  for (int i = 0; i < kBlock; ++i) {
    const T wt = w[ts[i]];
    T D = g[i], h = c[i][i];
    for (int j = 0; j < i; ++j) D += c[i][j] * d[j];
    T next;
    if (l2 > 0) {
      const T rest = g[i] * g[i] - slope[i] * D, linear = slope[i] * h + l2 * D;
      next = wt + 2 * rest / (linear + std::sqrt(linear * linear + 4 * l2 * h * rest));
      h += l2;
    } else {
      next = wt + (goal[i] - D) * inverse_h[i];
    }
    // What adds less than a thousandth of the floor anywhere is nothing, in any unit of w.
    T less = next > keep[i] ? next : keep[i];
    less = less * sums[ts[i]] < floor * T(1e-3) ? T(0) : less;
    next = next < wt ? less : next;
    next = g[i] > 0 ? next : T(0);
    h = g[i] > 0 ? h : slope[i] / (wt > 0 ? wt : T(1));
    next = next > lower ? next : lower;
    next = next < upper ? next : upper;
    next = decided[i] ? next : wt;
    d[i] = next - wt;
    w[ts[i]] = next;
    // What rounding alone moves has not moved: else an exact half-step in float32 would never end.
    constexpr T rounding = 4 * std::numeric_limits<T>::epsilon();
    moved += std::abs(d[i]) > rounding * wt ? h * d[i] * d[i] : T(0);
  }
  if constexpr (kBlock == 1) {
    if (d[0] == 0) return 0;
    const T d0 = d[0];
    for (std::int64_t p = 0; p < row.n; ++p) y[p] += d0 * b0[p];
  } else if constexpr (kBlock == 2) {
    const T d0 = d[0], d1 = d[1];
    for (std::int64_t p = 0; p < row.n; ++p) y[p] += d0 * b0[p] + d1 * b1[p];
  } else {
    const T d0 = d[0], d1 = d[1], d2 = d[2];
    for (std::int64_t p = 0; p < row.n; ++p) y[p] += d0 * b0[p] + d1 * b1[p] + d2 * b2[p];
  }
  return static_cast<double>(moved);
}

// Components at zero are looked at first, all from the same y: one whose gradient x/y·b does not
// exceed its slope would stay at zero, and is left out until the next look.
template <class T, class I>
NONNEG_INLINE int kl_active(const EntryRow<T, I>& row, const T* w, const T* y, const T* sums, T l1,
                            T lower, const std::uint8_t* fixed, T floor, T* ratio, int* active) {
  int n_active = 0;
  bool known = false;  // whether `ratio` holds x/y
  for (int t = 0; t < row.k; ++t) {
    if (fixed != nullptr && fixed[t]) continue;
    bool wanted = w[t] != 0 || lower > 0;
    if (!wanted) {
      if (!known) {
        each_weighted(
            row.weights, row.n,
            NONNEG_BODY { ratio[p] = weight * row.x[p] / (y[p] > floor ? y[p] : floor); });
        known = true;
      }
      const T* b = row.component(t);
      T g = 0;
      for (std::int64_t p = 0; p < row.n; ++p) g += ratio[p] * b[p];
      wanted = g > sums[t] + l1;
    }
    active[n_active] = t;
    n_active += wanted;
  }
  return n_active;
}

template <class T, class I>
NONNEG_INLINE double descend_kl(const EntryRow<T, I>& row, T* w, T* y, const T* sums,
                                const FactorTerms<T>& terms, const std::uint8_t* fixed,
                                SweepRule rule, T floor, bool cautious, T* ratio, int* active) {
  const T l1 = static_cast<T>(terms.l1);
  const T l2 = static_cast<T>(terms.l2 + terms.l2_per_entry * static_cast<double>(row.count));
  const T lower = static_cast<T>(terms.lower), upper = static_cast<T>(terms.upper);
  double first = 0, settled = 0;
  each_weighted(
      row.weights, row.n, NONNEG_BODY { settled += static_cast<double>(weight * row.x[p]); });
  settled *= kSettled;
  bool look = true;
  int n_active = 0;
  for (int it = 0; it < rule.max_sweeps; ++it) {
    if (look) n_active = kl_active(row, w, y, sums, l1, lower, fixed, floor, ratio, active);
    const bool looked = look;
    double moved = 0;
    int i = 0;
    const auto visit = [&]<int kBlock>() __attribute__((always_inline)) {
      moved += kl_block<kBlock>(row, active + i, w, y, sums, l1, l2, lower, upper, floor, cautious);
      i += kBlock;
    };
    while (!cautious && n_active - i >= 3) visit.template operator()<3>();
    if (!cautious && n_active - i == 2) visit.template operator()<2>();
    while (i < n_active) visit.template operator()<1>();
    int kept = 0;
    for (i = 0; i < n_active; ++i) {
      active[kept] = active[i];
      kept += w[active[i]] != 0;
    }
    n_active = kept;
    if (it == 0) first = moved;
    const double goal =
        rule.tolerance > 0 ? std::max(rule.tolerance * rule.tolerance * first, settled) : 0;
    if (moved <= goal && looked) break;
    look = moved <= std::max(goal, kStill * first) || it % kFullEvery == kFullEvery - 1;
  }
  return first;
}

template <class T, class I>
NONNEG_INLINE double multiply(const EntryRow<T, I>& row, T* w, T* y, const T* sums,
                              const FactorTerms<T>& terms, const std::uint8_t* fixed, double beta,
                              T floor, T* numerator, T* denominator, T* gradient) {
  const std::int64_t n = row.n;
  const double gamma = beta < 1 ? 1 / (2 - beta) : beta > 2 ? 1 / (beta - 1) : 1;
  each_weighted(
      row.weights, n, NONNEG_BODY {
        const T yp = y[p] > floor ? y[p] : floor;
        if (beta == 1) {
          numerator[p] = weight * row.x[p] / yp;
          denominator[p] = weight;
        } else if (beta == 2) {
          numerator[p] = weight * row.x[p];
          denominator[p] = weight * yp;
        } else if (beta == 0) {
          numerator[p] = weight * row.x[p] / yp / yp;
          denominator[p] = weight / yp;
        } else {
          const T power = weight * static_cast<T>(std::pow(static_cast<double>(yp), beta - 2));
          numerator[p] = power * row.x[p];
          denominator[p] = power * yp;
        }
      });
  const T l1 = static_cast<T>(terms.l1);
  const T l2 = static_cast<T>(terms.l2 + terms.l2_per_entry * static_cast<double>(row.count));
  double moved = 0;
  // All components from the same y (a joint majoriser), so w is written after the sums.
  for (int t = 0; t < row.k; ++t) {
    const T* b = row.component(t);
    T up = 0, down = 0;
    for (std::int64_t p = 0; p < n; ++p) up += numerator[p] * b[p];
    if (sums != nullptr) {
      down = sums[t];
    } else {
      for (std::int64_t p = 0; p < n; ++p) down += denominator[p] * b[p];
    }
    down += l1 + l2 * w[t];
    T ratio = down > 0 ? up / down : (up > 0 ? T(1) : T(0));
    if (gamma != 1) ratio = static_cast<T>(std::pow(static_cast<double>(ratio), gamma));
    const T d = (fixed != nullptr && fixed[t]) ? T(0) : clamp_to(w[t] * ratio, terms) - w[t];
    moved += static_cast<double>(up - down) * d;
    gradient[t] = d;
  }
  for (int t = 0; t < row.k; ++t) w[t] += gradient[t];
  return moved;
}

// What full rows share: Fᵀ (k × n) and the weights, padded where rows are short, and the column
// sums that Kullback–Leibler needs.
template <class T>
struct FullRows {
  const T* block = nullptr;
  const T* weights = nullptr;
  std::int64_t n = 0;
  const T* sums = nullptr;
};

template <class T>
NONNEG_INLINE FullRows<T> full_rows(const EntryTask<T>& task, std::int64_t cols,
                                    EntrySpace<T>& space) {
  FullRows<T> rows{task.Ft, task.column_weights, cols, nullptr};
  const std::int64_t ld = padded<T>(cols);
  if (ld != cols && cols <= kShort) {
    const auto count = static_cast<std::size_t>(ld) * static_cast<std::size_t>(task.k);
    if (space.block.size() < count) space.block.resize(count);
    for (int t = 0; t < task.k; ++t) {
      T* out = space.block.data() + t * ld;
      std::fill(std::copy(task.Ft + t * cols, task.Ft + (t + 1) * cols, out), out + ld, T(0));
    }
    if (task.column_weights != nullptr) {
      T* out = space.weights.data();
      std::fill(std::copy(task.column_weights, task.column_weights + cols, out), out + ld, T(0));
      rows.weights = out;
    }
    rows.block = space.block.data();
    rows.n = ld;
  }
  if (task.update == Update::kDescend && task.loss.kind == LossKind::kBeta) {
    for (int t = 0; t < task.k; ++t) {
      const T* b = rows.block + static_cast<std::size_t>(t) * static_cast<std::size_t>(rows.n);
      T s = 0;
      each_weighted(rows.weights, rows.n, NONNEG_BODY { s += weight * b[p]; });
      space.sums[static_cast<std::size_t>(t)] = s;
    }
    rows.sums = space.sums.data();
  }
  return rows;
}

// `shared` is null but for full rows.
template <class T, class I>
NONNEG_INLINE void entry_row(const EntryTask<T>& task, const I* idx, const T* stored,
                             const T* stored_weights, std::int64_t n, const T* full_x,
                             std::int64_t cols, const FullRows<T>* shared, std::int64_t i,
                             EntrySpace<T>& space, StepStats& out) {
  const int k = task.k;
  T* w = task.W + i * k;
  const std::uint8_t* fixed = task.terms.fixed ? task.terms.fixed + i * k : nullptr;
  const bool full = full_x != nullptr;
  EntryRow<T, I> row{task.F, idx, nullptr, nullptr, full_x, nullptr, cols, cols, k};
  if (full) {
    row.block = shared->block;
    row.weights = shared->weights;
    row.n = shared->n;
    if (row.n != cols && full_x != space.x.data()) {
      std::fill(std::copy(full_x, full_x + cols, space.x.data()), space.x.data() + row.n, T(0));
      row.x = space.x.data();
    }
  } else {
    row.block = nullptr;
    row.column = space.column.data();
    row.x = stored;
    row.n = row.count = n;
    if (n * k <= task.gather_limit) {
      const std::int64_t ld = row.n = padded<T>(n);
      gather_turned(idx, n, task.F, k, ld, space.zeros.data(), space.block.data());
      std::fill(std::copy(stored, stored + n, space.x.data()), space.x.data() + ld, T(0));
      row.block = space.block.data();
      row.x = space.x.data();
    }
    row.weights = nullptr;
    if (task.column_weights != nullptr || stored_weights != nullptr) {
      T* weights = space.weights.data();
      for (std::int64_t p = 0; p < n; ++p) {
        weights[p] = (task.column_weights ? task.column_weights[idx[p]] : T(1)) *
                     (stored_weights ? stored_weights[p] : T(1));
      }
      std::fill(weights + n, weights + row.n, T(0));
      row.weights = weights;
    }
  }
  T* y = space.y.data();
  const Loss& loss = task.loss;
  const T floor = static_cast<T>(loss.floor);
  const bool nonzero = task.sums != nullptr;
  // Model values; those of the padding are such that no power of them can overflow.
  const T filler = loss.kind == LossKind::kBeta ? T(1) : T(0);
  const auto model = [&] {
    model_values(row, w, y, space.active.data());
    std::fill(y + row.count, y + row.n, filler);
  };
  if (task.update != Update::kMeasure && row.count == 0) {
    // An empty row: zero explains its zeros exactly, and nothing better is known of missing ones.
    for (int t = 0; t < k; ++t) {
      if (fixed == nullptr || !fixed[t])
        w[t] = static_cast<T>(task.terms.lower > 0 ? task.terms.lower : 0);
    }
  }
  model();
  if (task.update == Update::kDescend && loss.kind == LossKind::kBeta) {
    const T* sums = full ? shared->sums : task.sums;
    if (sums == nullptr) {
      for (int t = 0; t < k; ++t) {
        const T* b = row.component(t);
        T s = 0;
        each_weighted(row.weights, row.n, NONNEG_BODY { s += weight * b[p]; });
        space.sums[t] = s;
      }
      sums = space.sums.data();
    }
    out.residual += descend_kl(row, w, y, sums, task.terms, fixed, task.rule, floor, task.cautious,
                               space.numerator.data(), space.active.data());
  } else if (task.update == Update::kDescend) {
    const T* omega = row.weights;
    if (loss.kind != LossKind::kQuadratic) {
      for (std::int64_t p = 0; p < row.n; ++p) space.numerator[p] = row.x[p] - y[p];
      robust_weights(loss, space.numerator.data(), row.weights, row.n, space.denominator.data());
      omega = space.denominator.data();
    }
    out.residual +=
        descend_quadratic(row, w, y, omega, task.terms, fixed, task.rule, space.curvature.data(),
                          space.gradient.data(), row.block != nullptr ? space.gram.data() : nullptr,
                          space.active.data());
  } else if (task.update == Update::kMultiply) {
    double first = 0;
    for (int it = 0; it < task.rule.max_sweeps; ++it) {
      const double moved =
          multiply(row, w, y, task.sums, task.terms, fixed, loss.beta, floor,
                   space.numerator.data(), space.denominator.data(), space.gradient.data());
      if (it == 0) first = moved;
      if (it == 0) out.residual += moved;
      // `moved` is a decrease of the objective, the square of a distance; negative only where a
      // start outside the bounds had to climb.
      const bool last =
          std::abs(moved) <= task.rule.tolerance * task.rule.tolerance * std::abs(first);
      if (last && !task.measure) break;
      if (it + 1 < task.rule.max_sweeps || task.measure) model();
      if (last) break;
    }
  }
  if (!task.measure) return;
  if (loss.kind == LossKind::kBeta && loss.beta != 2) {
    for (std::int64_t p = 0; p < row.count; ++p) y[p] = y[p] > floor ? y[p] : floor;
  }
  double value;
  if (loss.kind == LossKind::kBeta && loss.beta == 1) {
    // With the padding, where x = 0 and y = 1: each of it adds 1 exactly, or nothing by its weight.
    value = row_loss(loss, row.x, y, row.weights, row.n);
    if (row.weights == nullptr) value -= static_cast<double>(row.n - row.count);
  } else {
    value = row_loss(loss, row.x, y, row.weights, row.count);
  }
  if (nonzero) {
    // The zeros' share of Σ WH: all of it, less what the stored entries have counted.
    double sum = 0;
    for (int t = 0; t < k; ++t) sum += static_cast<double>(w[t]) * task.sums[t];
    for (std::int64_t p = 0; p < row.count; ++p) sum -= y[p];
    value += sum;
  }
  out.loss += value;
}

template <class T, class I>
NONNEG_CLONES void entry_rows_csr(const CsrView<T, I>& X, const EntryTask<T>& task, bool full,
                                  std::int64_t begin, std::int64_t end, EntrySpace<T>& space,
                                  StepStats& out) {
  FullRows<T> shared;
  if (full) {
    space.size(X.cols, task.k, false, task.gather_limit);
    shared = full_rows(task, X.cols, space);
  }
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t p = X.indptr[i], n = X.indptr[i + 1] - p;
    const T* x = nullptr;
    if (full) {
      std::fill(space.x.begin(), space.x.end(), T(0));
      for (std::int64_t q = p; q < p + n; ++q)
        space.x[static_cast<std::size_t>(X.indices[q])] += X.values[q];
      x = space.x.data();
    } else {
      space.size(n, task.k, true, task.gather_limit);
    }
    entry_row(task, X.indices + p, X.values + p, X.weights ? X.weights + p : nullptr, n, x, X.cols,
              &shared, i, space, out);
  }
}

template <class T>
NONNEG_CLONES void entry_rows_dense(const DenseView<T>& X, const EntryTask<T>& task,
                                    std::int64_t begin, std::int64_t end, EntrySpace<T>& space,
                                    StepStats& out) {
  space.size(X.cols, task.k, false, task.gather_limit);
  const FullRows<T> shared = full_rows(task, X.cols, space);
  for (std::int64_t i = begin; i < end; ++i) {
    entry_row<T, std::int32_t>(task, nullptr, nullptr, nullptr, 0, X.values + i * X.stride, X.cols,
                               &shared, i, space, out);
  }
}

template <class T, class Body>
StepStats entry_pass(const std::vector<std::int64_t>& chunks, std::size_t n_threads,
                     const Body& body) {
  const std::size_t n_chunks = chunks.size() - 1;
  std::vector<StepStats> parts(n_chunks);
  n_threads = std::max<std::size_t>(1, std::min(n_threads, n_chunks));
  std::vector<EntrySpace<T>> spaces(n_threads);
  Pool::instance().run(n_chunks, n_threads, [&](std::size_t c, std::size_t worker) {
    body(chunks[c], chunks[c + 1], spaces[worker], parts[c]);
  });
  StepStats out;
  for (const StepStats& part : parts) {
    out.loss += part.loss;
    out.residual += part.residual;
  }
  return out;
}

template <class T, class I>
StepStats entry_step_csr(const CsrView<T, I>& X, const std::vector<std::int64_t>& chunks,
                         const EntryTask<T>& task, bool full, std::size_t n_threads) {
  return entry_pass<T>(chunks, n_threads,
                       [&](std::int64_t b, std::int64_t e, EntrySpace<T>& space, StepStats& out) {
                         entry_rows_csr(X, task, full, b, e, space, out);
                       });
}

}  // namespace nonneg

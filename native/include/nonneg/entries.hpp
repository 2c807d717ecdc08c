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
// loop.
template <class T>
NONNEG_INLINE std::int64_t padded(std::int64_t n) {
  constexpr std::int64_t lanes = 32 / sizeof(T);
  return (n + lanes - 1) / lanes * lanes;
}

template <class T>
struct EntrySpace {
  std::vector<T> block, x, y, weights, numerator, denominator, curvature, sums, column, gradient;

  void size(std::int64_t n, int k, bool gather, std::int64_t limit) {
    const auto grow = [](std::vector<T>& v, std::size_t s) {
      if (v.size() < s) v.resize(s);
    };
    const auto count = static_cast<std::size_t>(padded<T>(n));
    if (gather) grow(block, n * k <= limit ? count * static_cast<std::size_t>(k) : 0);
    if (gather && n * k > limit) grow(column, count);
    for (auto* v : {&x, &y, &weights, &numerator, &denominator}) grow(*v, count);
    for (auto* v : {&curvature, &sums, &gradient}) grow(*v, static_cast<std::size_t>(k));
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

  NONNEG_INLINE const T* component(int t) const {
    if (block != nullptr) return block + static_cast<std::size_t>(t) * static_cast<std::size_t>(n);
    for (std::int64_t p = 0; p < n; ++p) column[p] = F[static_cast<std::size_t>(idx[p]) * k + t];
    return column;
  }
};

template <class T, class I>
NONNEG_INLINE void model_values(const EntryRow<T, I>& row, const T* w, T* y) {
  std::fill(y, y + row.n, T(0));
  for (int t = 0; t < row.k; ++t) {
    const T wt = w[t];
    if (wt == 0) continue;
    const T* b = row.component(t);
    for (std::int64_t p = 0; p < row.n; ++p) y[p] += wt * b[p];
  }
}

template <class T>
NONNEG_INLINE T clamp_to(T v, const FactorTerms<T>& terms) {
  const T lower = static_cast<T>(terms.lower), upper = static_cast<T>(terms.upper);
  v = v > lower ? v : lower;
  return v < upper ? v : upper;
}

// y holds the model values on entry and on return.
template <class T, class I>
NONNEG_INLINE double descend_quadratic(const EntryRow<T, I>& row, T* w, T* y, const T* omega,
                                       const FactorTerms<T>& terms, const std::uint8_t* fixed,
                                       SweepRule rule, T* curvature) {
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
  }
  for (std::int64_t p = 0; p < n; ++p) y[p] = row.x[p] - r[p];
  return first;
}

// f(w_t + d) = S d − Σ a log(y + d b). With φ(d) = Σ a b/(y + d b), f' = S − φ. We match
// φ(0) = g and −φ'(0) = h by the rational g²/(g + h d), whose root is d = (g/h)(g/S − 1): exact
// where one component explains the row, a Newton step where many do. 1/φ is concave, hence a step
// to the right never overshoots; one to the left may, and `cautious` bounds it by the
// multiplicative update w g/S, which never does. Without it a step left keeps 1 % of the value.
// With a ridge l2 the slope S grows by l2 d, and the root is that of a quadratic equation.
template <class T, class I>
NONNEG_INLINE double descend_kl(const EntryRow<T, I>& row, T* w, T* y, const T* sums,
                                const FactorTerms<T>& terms, const std::uint8_t* fixed,
                                SweepRule rule, T floor, bool cautious) {
  const std::int64_t n = row.n;
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
      T g = 0, h = 0;
      if (row.weights != nullptr) {
        for (std::int64_t p = 0; p < n; ++p) {
          const T yp = y[p] > floor ? y[p] : floor;
          const T q = b[p] / yp;
          const T aq = row.weights[p] * row.x[p] * q;
          g += aq;
          h += aq * q;
        }
      } else {
        for (std::int64_t p = 0; p < n; ++p) {
          const T yp = y[p] > floor ? y[p] : floor;
          const T q = b[p] / yp;
          const T aq = row.x[p] * q;
          g += aq;
          h += aq * q;
        }
      }
      const T s = sums[t] + l1 + l2 * w[t];
      T next;
      if (!(g > 0)) {
        if (!(s > 0)) continue;  // the component is empty on both sides: nothing to decide
        next = 0;
        h = s / (w[t] > 0 ? w[t] : T(1));
      } else if (!(h > 0)) {
        continue;  // its square underflows: too small a component to say anything
      } else if (l2 > 0) {
        // The root of the rational model with a ridge: l2 d + s = g²/(g + h d).
        const T B = s * h + l2 * g;
        next = w[t] + 2 * g * (g - s) / (B + std::sqrt(B * B + 4 * l2 * h * g * (g - s)));
        h += l2;
      } else if (!(s > 0)) {
        continue;
      } else {
        next = w[t] + (g / h) * (g / s - 1);
      }
      if (next < w[t]) {
        const T keep = cautious ? w[t] * (g / s) : w[t] * T(0.01);
        next = next > keep ? next : keep;
        // What adds less than a thousandth of the floor anywhere is nothing, in any unit of w.
        if (next * sums[t] < floor * T(1e-3)) next = 0;
      }
      const T d = clamp_to(next, terms) - w[t];
      if (d == 0) continue;
      w[t] += d;
      moved += static_cast<double>(h) * d * d;
      for (std::int64_t p = 0; p < n; ++p) y[p] += d * b[p];
    }
    if (it == 0) first = moved;
    const double goal = rule.tolerance * rule.tolerance * first;
    if (moved <= goal && all) break;
    all = moved <= std::max(goal, kStill * first) || it % kFullEvery == kFullEvery - 1;
  }
  return first;
}

template <class T, class I>
NONNEG_INLINE double multiply(const EntryRow<T, I>& row, T* w, T* y, const T* sums,
                              const FactorTerms<T>& terms, const std::uint8_t* fixed, double beta,
                              T floor, T* numerator, T* denominator, T* gradient) {
  const std::int64_t n = row.n;
  const double gamma = beta < 1 ? 1 / (2 - beta) : beta > 2 ? 1 / (beta - 1) : 1;
  for (std::int64_t p = 0; p < n; ++p) {
    const T yp = y[p] > floor ? y[p] : floor;
    const T inv = 1 / yp;
    const T wx = row.weights ? row.weights[p] * row.x[p] : row.x[p];
    const T one = row.weights ? row.weights[p] : T(1);
    if (beta == 1) {
      numerator[p] = wx * inv;
      denominator[p] = one;
    } else if (beta == 2) {
      numerator[p] = wx;
      denominator[p] = one * yp;
    } else if (beta == 0) {
      numerator[p] = wx * inv * inv;
      denominator[p] = one * inv;
    } else {
      const T power = static_cast<T>(std::pow(static_cast<double>(yp), beta - 2));
      numerator[p] = wx * power;
      denominator[p] = one * power * yp;
    }
  }
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

template <class T, class I>
NONNEG_INLINE void entry_row(const EntryTask<T>& task, const I* idx, const T* stored,
                             const T* stored_weights, std::int64_t n, const T* full_x,
                             std::int64_t cols, std::int64_t i, EntrySpace<T>& space,
                             StepStats& out) {
  const int k = task.k;
  T* w = task.W + i * k;
  const std::uint8_t* fixed = task.terms.fixed ? task.terms.fixed + i * k : nullptr;
  const bool full = full_x != nullptr;
  EntryRow<T, I> row{task.F, idx, task.Ft, nullptr, full_x, task.column_weights, cols, cols, k};
  if (!full) {
    row.block = nullptr;
    row.column = space.column.data();
    row.x = stored;
    row.n = row.count = n;
    if (n * k <= task.gather_limit) {
      const std::int64_t ld = row.n = padded<T>(n);
      gather_turned(idx, n, task.F, k, ld, space.block.data());
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
    model_values(row, w, y);
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
    const T* sums = task.sums;
    if (sums == nullptr) {
      for (int t = 0; t < k; ++t) {
        const T* b = row.component(t);
        T s = 0;
        for (std::int64_t p = 0; p < row.n; ++p) s += row.weights ? row.weights[p] * b[p] : b[p];
        space.sums[t] = s;
      }
      sums = space.sums.data();
    }
    out.residual += descend_kl(row, w, y, sums, task.terms, fixed, task.rule, floor, task.cautious);
  } else if (task.update == Update::kDescend) {
    const T* omega = row.weights;
    if (loss.kind != LossKind::kQuadratic) {
      for (std::int64_t p = 0; p < row.n; ++p) space.numerator[p] = row.x[p] - y[p];
      robust_weights(loss, space.numerator.data(), row.weights, row.n, space.denominator.data());
      omega = space.denominator.data();
    }
    out.residual +=
        descend_quadratic(row, w, y, omega, task.terms, fixed, task.rule, space.curvature.data());
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
  double value = row_loss(loss, row.x, y, row.weights, row.count);
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
  if (full) space.size(X.cols, task.k, false, task.gather_limit);
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
              i, space, out);
  }
}

template <class T>
NONNEG_CLONES void entry_rows_dense(const DenseView<T>& X, const EntryTask<T>& task,
                                    std::int64_t begin, std::int64_t end, EntrySpace<T>& space,
                                    StepStats& out) {
  space.size(X.cols, task.k, false, task.gather_limit);
  for (std::int64_t i = begin; i < end; ++i) {
    entry_row<T, std::int32_t>(task, nullptr, nullptr, nullptr, 0, X.values + i * X.stride, X.cols,
                               i, space, out);
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

template <class T>
StepStats entry_step_dense(const DenseView<T>& X, const EntryTask<T>& task, std::size_t n_threads) {
  const auto chunks = dense_chunks(X.rows, X.cols);
  return entry_pass<T>(chunks, n_threads,
                       [&](std::int64_t b, std::int64_t e, EntrySpace<T>& space, StepStats& out) {
                         entry_rows_dense(X, task, b, e, space, out);
                       });
}

}  // namespace nonneg

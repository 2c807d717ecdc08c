// Kullback–Leibler half-steps on complete dense rows, as many rows at a time as a register has
// lanes.
//
// In `entries.hpp` the lanes of a register are entries of one row, and between two passes over them
// sums are folded and a few numbers worked out one after the other: for a row of 38 entries that
// takes longer than the passes. Here each lane is a row of its own. All rows of a dense matrix meet
// the same entries of the fixed factor, so these are broadcast, nothing is gathered or folded, and
// the arithmetic between the passes is done for all rows at once. The steps are those of
// `kl_block`.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "beta.hpp"
#include "entries.hpp"
#include "gather.hpp"
#include "views.hpp"

namespace nonneg {

// One value for each row of a group: a register of so many bytes.
template <class T, int kBytes>
struct Lanes {
  using Unsigned = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  typedef T V __attribute__((vector_size(kBytes)));
  typedef Unsigned Bits __attribute__((vector_size(kBytes)));
  static constexpr int kCount = kBytes / static_cast<int>(sizeof(T));

  static NONNEG_INLINE V of(T value) { return value - V{}; }

  // `fast_log` of `beta.hpp`, for vectors: the compiler makes none of its own out of that one.
  static NONNEG_INLINE V log(V x) {
    const Bits bits = reinterpret_cast<Bits>(x);
    if constexpr (sizeof(T) == 4) {
      typedef std::int32_t Signed __attribute__((vector_size(kBytes)));
      const Bits exponent = (bits + (0x3f800000u - 0x3f3504f3u)) >> 23;
      const V m = reinterpret_cast<V>(bits - ((exponent - 127) << 23)) - 1;
      return small_log(m, __builtin_convertvector(reinterpret_cast<Signed>(exponent - 127), V));
    } else {
      typedef float Single __attribute__((vector_size(kBytes / 2)));
      // Biased exponents of the mantissas in [√½, √2).
      const Bits exponent = (bits + (0x3ff0000000000000ULL - 0x3fe6a09e667f3bcdULL)) >> 52;
      const V m = reinterpret_cast<V>(bits - ((exponent - 1023) << 52));
      // As a double whose last bits are the exponent: not every instruction set converts 64 bits.
      const V e =
          reinterpret_cast<V>(exponent | 0x4330000000000000ULL) - (4503599627370496.0 + 1023);
      // A division in float32 and one Newton step are enough and half as long.
      const V below = m + 1;
      V inverse = __builtin_convertvector(1 / __builtin_convertvector(below, Single), V);
      inverse *= 2 - below * inverse;
      const V s = (m - 1) * inverse;
      return e * 0.6931471805599453 + 2 * s * odd_log(s * s);
    }
  }
};

// Rows are dealt to threads in groups of as many as the widest register holds, on every machine.
template <class T>
constexpr std::int64_t kGroup = 64 / sizeof(T);
// Entries whose losses are added in the precision of the data, before float64 takes over.
constexpr std::int64_t kSumInT = 16;
// Components that are moved together, as in `kl_block`.
constexpr int kLaneBlock = 3;

// Scratch of one worker: a group's X turned, its model values, its rows of W turned, sums over F.
template <class T>
class LaneSpace {
 public:
  // Values of n entries or k components, `lanes` each; all on the borders of cache lines.
  void size(std::int64_t n, int k, int lanes) {
    constexpr std::int64_t line = 64 / sizeof(T);
    const auto rounded = [](std::int64_t size) { return (size + line - 1) / line * line; };
    const std::int64_t entries = rounded(n * lanes), components = rounded(k * lanes);
    const auto need = static_cast<std::size_t>(2 * entries + components + k + line);
    if (memory_.size() < need) memory_.resize(need);
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.data());
    x = reinterpret_cast<T*>((at + 63) / 64 * 64);
    y = x + entries;
    w = y + entries;
    sums = w + components;
  }

  T *x = nullptr, *y = nullptr, *w = nullptr, *sums = nullptr;

 private:
  std::vector<T> memory_;
};

// Moves that have been decided and not yet been added to the model values: the next pass over the
// entries adds them, so that each block of components takes one pass instead of two.
template <class T, int kBytes>
struct PendingMoves {
  using V = typename Lanes<T, kBytes>::V;
  V d[kLaneBlock] = {};
  int t[kLaneBlock] = {};

  NONNEG_INLINE V added(V y, const T* f) const {
    return y + d[0] * f[t[0]] + d[1] * f[t[1]] + d[2] * f[t[2]];
  }
};

// What a half-step asks of every row of a group, and where the group is.
template <class T, int kBytes>
struct LaneGroup {
  using V = typename Lanes<T, kBytes>::V;
  const T* F;     // n × k
  const T* sums;  // k
  const V* x;     // n
  V* y;           // n
  V* w;           // k
  std::int64_t n;
  int k;
  T l1, l2, lower, upper, floor;
  bool cautious;
};

// Moves components t0, t0 + 1, … by one step each; what it was worth is added to `moved`.
template <int kBlock, class T, int kBytes>
NONNEG_INLINE void lane_block(const LaneGroup<T, kBytes>& group, int t0,
                              PendingMoves<T, kBytes>& pending,
                              typename Lanes<T, kBytes>::V& moved) {
  static_assert(kBlock <= kLaneBlock);
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const V zero = {}, floor = L::of(group.floor);
  V g[3] = {}, c[3][3] = {};
  const T* f = group.F;
  for (std::int64_t p = 0; p < group.n; ++p, f += group.k) {
    const V y = pending.added(group.y[p], f);
    group.y[p] = y;
    const V inverse = 1 / (y > floor ? y : floor);
    const V z = group.x[p] * inverse;
    const V v = z * inverse;
    for (int i = 0; i < kBlock; ++i) {
      const T b = f[t0 + i];
      g[i] += z * b;
      const V vb = v * b;
      for (int j = 0; j <= i; ++j) c[i][j] += vb * f[t0 + j];
    }
  }
  V d[3] = {};
  for (int i = 0; i < kBlock; ++i) {
    const V w = group.w[t0 + i], h = c[i][i];
    const T sum = group.sums[t0 + i];
    const V slope = sum + group.l1 + group.l2 * w;
    const V multiplicative = g[i] / slope;
    const V keep = w * (group.cautious ? multiplicative : L::of(T(0.01)));
    // Undecided where the component is empty on both sides, or so small that its square underflows.
    const auto decided = (slope > zero) & ((h > zero) | ~(g[i] > zero));
    V D = g[i];
    for (int j = 0; j < i; ++j) D += c[i][j] * d[j];
    V next, steep = h;
    if (group.l2 > 0) {
      const V rest = g[i] * g[i] - slope * D, linear = slope * h + group.l2 * D;
      V root = linear * linear + 4 * group.l2 * h * rest;
      for (int l = 0; l < L::kCount; ++l) root[l] = std::sqrt(root[l]);
      next = w + 2 * rest / (linear + root);
      steep += group.l2;
    } else {
      next = w + (g[i] * multiplicative - D) / h;
    }
    V less = next > keep ? next : keep;
    less = less * sum < L::of(group.floor * T(1e-3)) ? zero : less;
    next = next < w ? less : next;
    next = g[i] > zero ? next : zero;
    steep = g[i] > zero ? steep : slope / (w > zero ? w : L::of(T(1)));
    const V lower = L::of(group.lower), upper = L::of(group.upper);
    next = next > lower ? next : lower;
    next = next < upper ? next : upper;
    next = decided ? next : w;
    d[i] = next - w;
    group.w[t0 + i] = next;
    constexpr T rounding = 4 * std::numeric_limits<T>::epsilon();
    moved += ((d[i] > zero ? d[i] : -d[i]) > rounding * w) ? steep * d[i] * d[i] : zero;
  }
  for (int i = 0; i < kLaneBlock; ++i) {
    pending.d[i] = d[i];
    pending.t[i] = t0 + (i < kBlock ? i : 0);
  }
}

// Only the first `count` lanes hold rows.
template <class T, int kBytes>
NONNEG_INLINE void descend_lanes(const LaneGroup<T, kBytes>& group, SweepRule sweeps, int count,
                                 PendingMoves<T, kBytes>& pending, StepStats& out) {
  using V = typename Lanes<T, kBytes>::V;
  V goal = {}, total = {};
  for (std::int64_t p = 0; p < group.n; ++p) total += group.x[p];
  const V settled = total * static_cast<T>(kSettled);
  for (int it = 0; it < sweeps.max_sweeps; ++it) {
    V moved = {};
    int t = 0;
    const int step = group.cautious ? 1 : kLaneBlock;
    for (; !group.cautious && t + step <= group.k; t += step) {
      lane_block<3>(group, t, pending, moved);
    }
    if (!group.cautious && group.k - t == 2) lane_block<2>(group, t, pending, moved), t += 2;
    for (; t < group.k; ++t) lane_block<1>(group, t, pending, moved);
    if (it == 0) {
      double first = 0;
      for (int l = 0; l < count; ++l) first += static_cast<double>(moved[l]);
      out.residual += first;
      goal = moved * static_cast<T>(sweeps.tolerance * sweeps.tolerance);
      if (sweeps.tolerance > 0) goal = goal > settled ? goal : settled;
    }
    bool still = true;
    for (int l = 0; l < count; ++l) still = still && moved[l] <= goal[l];
    if (still) break;
  }
}

// Rows begin … end of W, as many at a time as a register of `kBytes` holds.
template <int kBytes, class T>
NONNEG_INLINE void lane_rows_in(const DenseView<T>& X, const EntryTask<T>& task, std::int64_t begin,
                                std::int64_t end, LaneSpace<T>& space, StepStats& out) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const std::int64_t n = X.cols;
  const int k = task.k;
  const FactorTerms<T>& terms = task.terms;
  space.size(n, k, L::kCount);
  for (int t = 0; t < k; ++t) {
    double sum = 0;
    for (std::int64_t p = 0; p < n; ++p) sum += static_cast<double>(task.F[p * k + t]);
    space.sums[t] = static_cast<T>(sum);
  }
  const LaneGroup<T, kBytes> group{
      task.F,
      space.sums,
      reinterpret_cast<const V*>(space.x),
      reinterpret_cast<V*>(space.y),
      reinterpret_cast<V*>(space.w),
      n,
      k,
      static_cast<T>(terms.l1),
      static_cast<T>(terms.l2 + terms.l2_per_entry * static_cast<double>(n)),
      static_cast<T>(terms.lower),
      static_cast<T>(terms.upper),
      static_cast<T>(task.loss.floor),
      task.cautious};
  for (std::int64_t i = begin; i < end; i += L::kCount) {
    const int count = static_cast<int>(std::min<std::int64_t>(L::kCount, end - i));
    turn_rows(X.values + i * X.stride, X.stride, count, n, space.x, L::kCount);
    turn_rows(task.W + i * k, k, count, k, space.w, L::kCount);
    const T* f = task.F;
    for (std::int64_t p = 0; p < n; ++p, f += k) {
      V y = {};
      for (int t = 0; t < k; ++t) y += group.w[t] * f[t];
      group.y[p] = y;
    }
    PendingMoves<T, kBytes> pending;
    if (task.update == Update::kDescend) {
      descend_lanes(group, task.rule, count, pending, out);
      for (int l = 0; l < count; ++l) {
        for (int t = 0; t < k; ++t) task.W[(i + l) * k + t] = space.w[t * L::kCount + l];
      }
    }
    if (!task.measure) continue;
    const V tiny = L::of(std::numeric_limits<T>::min()), floor = L::of(group.floor);
    double totals[L::kCount] = {};
    f = task.F;
    for (std::int64_t p = 0; p < n;) {
      V part = {};
      for (const std::int64_t until = std::min(p + kSumInT, n); p < until; ++p, f += k) {
        V y = pending.added(group.y[p], f);
        y = y > floor ? y : floor;
        const V r = group.x[p] / (y > tiny ? y : tiny);
        part += y * (r * L::log(r > tiny ? r : tiny) - (r - 1));
      }
      for (int l = 0; l < L::kCount; ++l) totals[l] += static_cast<double>(part[l]);
    }
    for (int l = 0; l < count; ++l) out.loss += totals[l];
  }
}

// Clones are made by hand here: of a vector wider than its registers the compiler makes code that
// is ten times slower than that of a narrower one.
#ifdef NONNEG_HAS_CLONES
template <class T>
__attribute__((target("arch=x86-64-v4"))) void lane_rows_v4(const DenseView<T>& X,
                                                            const EntryTask<T>& task,
                                                            std::int64_t begin, std::int64_t end,
                                                            LaneSpace<T>& space, StepStats& out) {
  lane_rows_in<64>(X, task, begin, end, space, out);
}

template <class T>
__attribute__((target("arch=x86-64-v3"))) void lane_rows_v3(const DenseView<T>& X,
                                                            const EntryTask<T>& task,
                                                            std::int64_t begin, std::int64_t end,
                                                            LaneSpace<T>& space, StepStats& out) {
  lane_rows_in<32>(X, task, begin, end, space, out);
}
#endif

template <class T>
void lane_rows(const DenseView<T>& X, const EntryTask<T>& task, std::int64_t begin,
               std::int64_t end, LaneSpace<T>& space, StepStats& out) {
#ifdef NONNEG_HAS_CLONES
  if (has_v4()) return lane_rows_v4(X, task, begin, end, space, out);
  if (has_v3()) return lane_rows_v3(X, task, begin, end, space, out);
#endif
  lane_rows_in<16>(X, task, begin, end, space, out);
}

// Whether the rows of X can go side by side: for short rows and many of them that pays.
template <class T>
bool can_go_side_by_side(const DenseView<T>& X, const EntryTask<T>& task) {
  return task.loss.kind == LossKind::kBeta && task.loss.beta == 1 &&
         task.update != Update::kMultiply && task.column_weights == nullptr &&
         task.terms.fixed == nullptr && X.cols > 0;
}

// Borders between chunks of whole groups of rows.
template <class T>
std::vector<std::int64_t> lane_chunks(const DenseView<T>& X) {
  auto borders = dense_chunks((X.rows + kGroup<T> - 1) / kGroup<T>, kGroup<T> * X.cols);
  for (auto& border : borders) border = std::min(border * kGroup<T>, X.rows);
  return borders;
}

}  // namespace nonneg

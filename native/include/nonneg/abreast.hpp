// Kullback–Leibler half-steps of many runs on one sparse matrix, as many at a time as a register
// has lanes.
//
// In `entries.hpp` the lanes of a register are entries of one row: their factors have to be
// gathered for every run, and the sums folded. All runs meet the same entries of X. Here each lane
// is a run of its own: the factors of the runs lie beside each other, the entries of X are
// broadcast, nothing is gathered or folded.
//
// A pass waits for memory more than for its sums. So it takes the curvatures of up to five
// components, not of three as `kl_block` does, and a second sweep goes over the model that it makes
// instead of the entries: φ_t(d) = g_t²/(g_t + Σ_s c_ts d_s), as there. What a run does depends
// neither on the other runs nor on how many lanes there are.
#pragma once

#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <vector>

#include "entries.hpp"
#include "lanes.hpp"
#include "views.hpp"

namespace nonneg {

// Entries whose weights are worked out before the sums over them; they stay in the first cache.
constexpr std::int64_t kTile = 32;
// Components of one model: of ten together steps overshoot more often than they gain.
constexpr int kJoint = 5;
// Those whose curvatures stay in registers during a pass.
template <int kBytes>
constexpr int kLaneTile = kBytes == 64 ? kJoint : 3;
// Sweeps over one model before it is made anew.
constexpr int kSweepsOfModel = 2;

// What a model knows of a component in each lane, besides curvatures.
template <class V>
struct LaneComponent {
  V g;        // gradient of the part that falls
  V start;    // where the pass was made
  V move;     // how far it has gone from there
  V rest;     // g²/S − g: where φ meets the slope S
  V inverse;  // of its own curvature
  V steep;    // what a move is worth, over its square
  V keep;     // a move to the left keeps so much
  V least, most;
};

// Scratch of one worker: values for all lanes, on the borders of cache lines.
template <class T>
class AbreastSpace {
 public:
  void size(int k, int lanes) {
    constexpr std::int64_t line = 64 / sizeof(T);
    constexpr std::int64_t fields = sizeof(LaneComponent<T>) / sizeof(T);
    const auto rounded = [](std::int64_t size) { return (size + line - 1) / line * line; };
    const std::int64_t parts[] = {k * lanes, kTile * lanes, kTile * lanes,
                                  kJoint * (kJoint + 1) / 2 * lanes, fields * kJoint * lanes};
    T** const pointers[] = {&w, &z, &v, &curvatures, &components};
    std::int64_t need = line;
    for (const std::int64_t part : parts) need += rounded(part);
    if (memory_.size() < static_cast<std::size_t>(need)) {
      memory_.resize(static_cast<std::size_t>(need));
    }
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.data());
    T* next = reinterpret_cast<T*>((at + 63) / 64 * 64);
    for (std::size_t i = 0; i < std::size(parts); ++i) {
      *pointers[i] = next;
      next += rounded(parts[i]);
    }
  }

  T *w = nullptr, *z = nullptr, *v = nullptr, *curvatures = nullptr, *components = nullptr;

 private:
  std::vector<T> memory_;
};

// One row of X in a group of runs, and what the half-step asks of it.
template <class T, class I, int kBytes>
struct RunGroup {
  using V = typename Lanes<T, kBytes>::V;
  const V* F;     // cols × k
  const V* sums;  // k: Σ over the rows of F
  const I* indices;
  const T* x;
  std::int64_t n;
  int k;
  V* w;  // k
  T l1, l2;
  V lower, upper, floor, nothing;  // what adds less than a thousandth of the floor is nothing
  V *z, *v;                        // kTile
  V* c;                            // lower triangle of the curvatures, row by row
  LaneComponent<V>* components;    // kJoint

  NONNEG_INLINE const V* factor(std::int64_t p) const {
    return F + static_cast<std::size_t>(indices[p]) * static_cast<std::size_t>(k);
  }

  // The model value of entry p, at least the floor. No prefetcher guesses which rows of F are next.
  NONNEG_INLINE V model(std::int64_t p) const {
    constexpr std::int64_t ahead = 4;
    const V *f = factor(p), *soon = factor(p + ahead < n ? p + ahead : p);
    V y = {};
    for (int t = 0; t < k; ++t) {
      __builtin_prefetch(soon + t);
      y += w[t] * f[t];
    }
    return y > floor ? y : floor;
  }
};

// Where row i of a lower triangle begins.
NONNEG_INLINE int triangle(int i) { return i * (i + 1) / 2; }

// Adds entries begin … end to the curvatures of components i0 … with j0 … of the block at t0, and
// to the gradients of those on the diagonal.
template <int kRows, int kColumns, class T, class I, int kBytes>
NONNEG_INLINE void lane_tile(const RunGroup<T, I, kBytes>& group, int t0, std::int64_t begin,
                             std::int64_t end, int i0, int j0) {
  using V = typename Lanes<T, kBytes>::V;
  const bool diagonal = i0 == j0;
  V c[kRows][kColumns] = {}, g[kRows] = {};
  if (diagonal) {
    for (std::int64_t p = begin; p < end; ++p) {
      const V* f = group.factor(p) + t0;
      const V z = group.z[p - begin], v = group.v[p - begin];
      for (int i = 0; i < kRows; ++i) {
        g[i] += z * f[i0 + i];
        const V vb = v * f[i0 + i];
        for (int j = 0; j <= i && j < kColumns; ++j) c[i][j] += vb * f[j0 + j];
      }
    }
  } else {
    for (std::int64_t p = begin; p < end; ++p) {
      const V* f = group.factor(p) + t0;
      const V v = group.v[p - begin];
      for (int i = 0; i < kRows; ++i) {
        const V vb = v * f[i0 + i];
        for (int j = 0; j < kColumns; ++j) c[i][j] += vb * f[j0 + j];
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    V* row = group.c + triangle(i0 + i) + j0;
    for (int j = 0; j < kColumns && (!diagonal || j <= i); ++j) row[j] += c[i][j];
    if (diagonal) group.components[i0 + i].g += g[i];
  }
}

template <int kRows, class T, class I, int kBytes>
NONNEG_INLINE void lane_tiles(const RunGroup<T, I, kBytes>& group, int t0, std::int64_t begin,
                              std::int64_t end, int i0) {
  for (int j0 = 0; j0 < i0; j0 += kLaneTile<kBytes>) {
    lane_tile<kRows, kLaneTile<kBytes>>(group, t0, begin, end, i0, j0);
  }
  lane_tile<kRows, kRows>(group, t0, begin, end, i0, i0);
}

// One pass over the entries: for components t0 … the gradients g = Σ x b/y and the curvatures
// C = Σ x b bᵀ/y².
template <class T, class I, int kBytes>
NONNEG_INLINE void lane_pass(const RunGroup<T, I, kBytes>& group, int t0, int block) {
  using V = typename Lanes<T, kBytes>::V;
  constexpr int kRows = kLaneTile<kBytes>;
  for (int i = 0; i < triangle(block); ++i) group.c[i] = V{};
  for (int t = 0; t < block; ++t) group.components[t].g = V{};
  for (std::int64_t begin = 0; begin < group.n; begin += kTile) {
    const std::int64_t end = std::min(begin + kTile, group.n);
    for (std::int64_t p = begin; p < end; ++p) {
      const V inverse = 1 / group.model(p);
      const V z = group.x[p] * inverse;
      group.z[p - begin] = z;
      group.v[p - begin] = z * inverse;
    }
    int i0 = 0;
    for (; i0 + kRows <= block; i0 += kRows) lane_tiles<kRows>(group, t0, begin, end, i0);
    const int left = block - i0;
    if (kRows > 4 && left == 4) lane_tiles<4>(group, t0, begin, end, i0);
    if (kRows > 3 && left == 3) lane_tiles<3>(group, t0, begin, end, i0);
    if (left == 2) lane_tiles<2>(group, t0, begin, end, i0);
    if (left == 1) lane_tiles<1>(group, t0, begin, end, i0);
  }
}

// All of a model that does not wait for the moves. Only `active` lanes will move.
template <class T, class I, int kBytes, class Mask>
NONNEG_INLINE void lane_model(const RunGroup<T, I, kBytes>& group, int t0, int block, Mask active) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const V zero = {}, one = L::of(T(1));
  for (int t = 0; t < block; ++t) {
    LaneComponent<V>& at = group.components[t];
    const V w = group.w[t0 + t], g = at.g, h = group.c[triangle(t) + t];
    const V slope = group.sums[t0 + t] + group.l1 + group.l2 * w;
    at.start = w;
    at.move = zero;
    at.rest = g * (g / slope) - g;
    at.inverse = 1 / h;
    at.keep = w * T(0.01);
    at.steep = g > zero ? h + group.l2 : slope / (w > zero ? w : one);
    // Undecided where the component is empty on both sides, or so small that its square underflows.
    const auto free = (slope > zero) & ((h > zero) | ~(g > zero)) & active;
    const V most = g > zero ? group.upper : group.lower;
    at.least = free ? group.lower : w;
    at.most = free ? most : w;
  }
}

// Moves each component to the root of its φ less its slope, given the moves of the others. Returns
// what that was worth.
template <class T, class I, int kBytes>
NONNEG_INLINE typename Lanes<T, kBytes>::V lane_sweep(const RunGroup<T, I, kBytes>& group, int t0,
                                                      int block) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const V zero = {};
  V worth = zero;
  const V* c = group.c;
  for (int t = 0; t < block; c += ++t) {
    LaneComponent<V>& at = group.components[t];
    // What the moves of the others have added to the denominator of φ.
    V earlier = zero, later = zero;
    for (int s = 0; s < t; ++s) earlier += c[s] * group.components[s].move;
    for (int s = t + 1; s < block; ++s) {
      later += group.c[triangle(s) + t] * group.components[s].move;
    }
    const V others = earlier + later;
    V next;
    if (group.l2 > 0) {
      // The slope grows with the move, and the root is that of a quadratic equation.
      const V slope = group.sums[t0 + t] + group.l1 + group.l2 * at.start;
      const V D = at.g + others, rest = at.g * at.g - slope * D;
      const V linear = slope * c[t] + group.l2 * D;
      V root = linear * linear + 4 * group.l2 * c[t] * rest;
      for (int l = 0; l < L::kCount; ++l) root[l] = std::sqrt(root[l]);
      next = at.start + 2 * rest / (linear + root);
    } else {
      next = at.start + (at.rest - others) * at.inverse;
    }
    V less = next > at.keep ? next : at.keep;
    less = less * group.sums[t0 + t] < group.nothing ? zero : less;
    next = next < at.start ? less : next;
    next = next > at.least ? next : at.least;
    next = next < at.most ? next : at.most;
    const V d = next - group.w[t0 + t];
    // What rounding alone moves has not moved.
    constexpr T rounding = 4 * std::numeric_limits<T>::epsilon();
    const V size = d > zero ? d : -d;
    worth += size > rounding * group.w[t0 + t] ? at.steep * d * d : zero;
    group.w[t0 + t] = next;
    at.move = next - at.start;
  }
  return worth;
}

// Moves all components until they have settled, those of lane l at most `sweeps[l]` times; returns
// what the first sweep was worth in each lane. Only the first `count` lanes hold runs.
template <class T, class I, int kBytes>
NONNEG_INLINE typename Lanes<T, kBytes>::V descend_runs(const RunGroup<T, I, kBytes>& group,
                                                        typename Lanes<T, kBytes>::V sweeps,
                                                        T tolerance, int count) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  int most = 0;
  for (int l = 0; l < count; ++l) most = std::max(most, static_cast<int>(sweeps[l]));
  V first = {}, goal = {};
  auto active = sweeps > V{};
  for (int done = 0; done < most; done += kSweepsOfModel) {
    V moved = {};
    for (int t0 = 0; t0 < group.k; t0 += kJoint) {
      const int block = std::min(kJoint, group.k - t0);
      lane_pass(group, t0, block);
      lane_model(group, t0, block, active);
      moved += lane_sweep(group, t0, block);
      for (int sweep = 1; sweep < kSweepsOfModel && done + sweep < most; ++sweep) {
        const auto over = sweeps <= L::of(static_cast<T>(done + sweep));
        for (int t = 0; t < block; ++t) {
          LaneComponent<V>& at = group.components[t];
          at.least = over ? group.w[t0 + t] : at.least;
          at.most = over ? group.w[t0 + t] : at.most;
        }
        lane_sweep(group, t0, block);
      }
    }
    if (done == 0) {
      first = moved;
      goal = moved * (tolerance * tolerance);
    }
    active = active & (moved > goal) & (sweeps > L::of(static_cast<T>(done + kSweepsOfModel)));
    bool still = true;
    for (int l = 0; l < count; ++l) still = still && !active[l];
    if (still) break;
  }
  return first;
}

// Adds the divergence of the entries in each lane, and the sum of their model values.
template <class T, class I, int kBytes>
NONNEG_INLINE void measure_runs(const RunGroup<T, I, kBytes>& group, double* losses,
                                double* model_sums) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const V tiny = L::of(std::numeric_limits<T>::min());
  for (std::int64_t p = 0; p < group.n;) {
    V loss = {}, sum = {};
    for (const std::int64_t until = std::min(p + kSumInT, group.n); p < until; ++p) {
      const V y = group.model(p);
      const V r = group.x[p] / (y > tiny ? y : tiny);
      loss += y * (r * L::log(r > tiny ? r : tiny) - (r - 1));
      sum += y;
    }
    for (int l = 0; l < L::kCount; ++l) {
      losses[l] += static_cast<double>(loss[l]);
      model_sums[l] += static_cast<double>(sum[l]);
    }
  }
}

// Factors of up to a register of runs of one rank, beside each other; empty lanes repeat the last.
template <class T>
class RunBundle {
 public:
  std::vector<std::size_t> runs;  // which ones

  // Room for `cols` rows of F; the column sums of every run.
  void size(const std::vector<EntryTask<T>>& tasks, std::int64_t cols, int lanes) {
    const auto width = static_cast<std::size_t>(lanes) * static_cast<std::size_t>(k(tasks));
    memory_ = std::make_unique_for_overwrite<T[]>(width * static_cast<std::size_t>(cols + 1) +
                                                  64 / sizeof(T));
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.get());
    sums = reinterpret_cast<T*>((at + 63) / 64 * 64);
    F = sums + width;
    for (int t = 0; t < k(tasks); ++t) {
      for (int l = 0; l < lanes; ++l) sums[t * lanes + l] = task(tasks, l).sums[t];
    }
  }

  // Rows begin … end of F.
  void fill(const std::vector<EntryTask<T>>& tasks, std::int64_t begin, std::int64_t end,
            int lanes) {
    const int rank = k(tasks);
    const T* from[64 / sizeof(T)];
    for (int l = 0; l < lanes; ++l) from[l] = task(tasks, l).F;
    T* to = F + begin * rank * lanes;
    for (std::int64_t p = begin * rank; p < end * rank; ++p) {
      for (int l = 0; l < lanes; ++l) *to++ = from[l][p];
    }
  }

  const EntryTask<T>& task(const std::vector<EntryTask<T>>& tasks, int lane) const {
    return tasks[runs[std::min(static_cast<std::size_t>(lane), runs.size() - 1)]];
  }
  int k(const std::vector<EntryTask<T>>& tasks) const { return tasks[runs.front()].k; }

  T *sums = nullptr, *F = nullptr;

 private:
  std::unique_ptr<T[]> memory_;
};

// Rows begin … end of all runs of a bundle; `out` gets what each of them measured.
template <int kBytes, class T, class I>
NONNEG_INLINE void lane_runs_in(const CsrView<T, I>& X, const std::vector<EntryTask<T>>& tasks,
                                const RunBundle<T>& bundle, std::int64_t begin, std::int64_t end,
                                AbreastSpace<T>& space, StepStats* out) {
  using L = Lanes<T, kBytes>;
  using V = typename L::V;
  const auto vectors = [](T* values) { return reinterpret_cast<V*>(values); };
  const int k = bundle.k(tasks), count = static_cast<int>(bundle.runs.size());
  const EntryTask<T>& task = bundle.task(tasks, 0);
  const FactorTerms<T>& terms = task.terms;
  space.size(k, L::kCount);
  T* W[L::kCount];
  V sweeps;
  for (int l = 0; l < L::kCount; ++l) {
    W[l] = bundle.task(tasks, l).W;
    sweeps[l] = static_cast<T>(bundle.task(tasks, l).rule.max_sweeps);
  }
  const V floor = L::of(static_cast<T>(task.loss.floor));
  RunGroup<T, I, kBytes> group{vectors(bundle.F),
                               vectors(bundle.sums),
                               nullptr,
                               nullptr,
                               0,
                               k,
                               vectors(space.w),
                               static_cast<T>(terms.l1),
                               T(0),
                               L::of(static_cast<T>(terms.lower)),
                               L::of(static_cast<T>(terms.upper)),
                               floor,
                               floor * T(1e-3),
                               vectors(space.z),
                               vectors(space.v),
                               vectors(space.curvatures),
                               reinterpret_cast<LaneComponent<V>*>(space.components)};
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t p = X.indptr[i];
    group.indices = X.indices + p;
    group.x = X.values + p;
    group.n = X.indptr[i + 1] - p;
    group.l2 = static_cast<T>(terms.l2 + terms.l2_per_entry * static_cast<double>(group.n));
    for (int l = 0; l < L::kCount; ++l) {
      for (int t = 0; t < k; ++t) space.w[t * L::kCount + l] = W[l][i * k + t];
    }
    V first = {};
    if (group.n == 0) {
      // Zero explains the zeros of an empty row exactly.
      for (int t = 0; t < k; ++t) group.w[t] = group.lower > V{} ? group.lower : V{};
    } else {
      first = descend_runs(group, sweeps, static_cast<T>(task.rule.tolerance), count);
    }
    for (int l = 0; l < count; ++l) {
      for (int t = 0; t < k; ++t) W[l][i * k + t] = space.w[t * L::kCount + l];
      out[l].residual += static_cast<double>(first[l]);
    }
    if (!task.measure) continue;
    double losses[L::kCount] = {}, model_sums[L::kCount] = {};
    measure_runs(group, losses, model_sums);
    for (int l = 0; l < count; ++l) {
      // The zeros' share of Σ WH: all of it, less what the stored entries have counted.
      double sum = -model_sums[l];
      for (int t = 0; t < k; ++t) {
        sum += static_cast<double>(space.w[t * L::kCount + l]) *
               static_cast<double>(bundle.sums[t * L::kCount + l]);
      }
      out[l].loss += losses[l] + sum;
    }
  }
}

// Whether a run can go abreast of others: Kullback–Leibler, all other entries observed zeros.
template <class T, class I>
bool can_go_abreast(const CsrView<T, I>& X, const EntryTask<T>& task) {
  return task.loss.kind == LossKind::kBeta && task.loss.beta == 1 &&
         task.update == Update::kDescend && !task.cautious && task.sums != nullptr &&
         task.column_weights == nullptr && X.weights == nullptr && task.terms.fixed == nullptr;
}

#ifdef NONNEG_HAS_CLONES
template <class T, class I>
__attribute__((target("arch=x86-64-v4"))) void lane_runs_v4(
    const CsrView<T, I>& X, const std::vector<EntryTask<T>>& tasks, const RunBundle<T>& bundle,
    std::int64_t begin, std::int64_t end, AbreastSpace<T>& space, StepStats* out) {
  lane_runs_in<64>(X, tasks, bundle, begin, end, space, out);
}

template <class T, class I>
__attribute__((target("arch=x86-64-v3"))) void lane_runs_v3(
    const CsrView<T, I>& X, const std::vector<EntryTask<T>>& tasks, const RunBundle<T>& bundle,
    std::int64_t begin, std::int64_t end, AbreastSpace<T>& space, StepStats* out) {
  lane_runs_in<32>(X, tasks, bundle, begin, end, space, out);
}

inline int lane_bytes() { return has_v4() ? 64 : has_v3() ? 32 : 16; }
#else
inline int lane_bytes() { return 16; }
#endif

template <class T, class I>
void lane_runs(const CsrView<T, I>& X, const std::vector<EntryTask<T>>& tasks,
               const RunBundle<T>& bundle, std::int64_t begin, std::int64_t end,
               AbreastSpace<T>& space, StepStats* out) {
#ifdef NONNEG_HAS_CLONES
  if (lane_bytes() == 64) return lane_runs_v4(X, tasks, bundle, begin, end, space, out);
  if (lane_bytes() == 32) return lane_runs_v3(X, tasks, bundle, begin, end, space, out);
#endif
  lane_runs_in<16>(X, tasks, bundle, begin, end, space, out);
}

}  // namespace nonneg

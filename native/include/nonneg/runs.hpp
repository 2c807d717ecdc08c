// Half-steps of many runs on one matrix at once.
//
// A task is one chunk of rows of one run. The tasks of all runs share the pool, so that threads
// have work where one small matrix has too little for them, and a chunk of X serves every run while
// it is in cache. The chunks of a run, and the order in which their sums are added, are those it
// would have alone: its numbers do not depend on the company.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "abreast.hpp"
#include "entries.hpp"
#include "gram.hpp"
#include "lanes.hpp"

namespace nonneg {

template <class T>
struct GramRun {
  const T* F = nullptr;      // cols × k (sparse rows)
  const T* cross = nullptr;  // rows × k, its rows `stride` apart (cross products given)
  std::int64_t stride = 0;
  const T* G = nullptr;  // k × k
  T* W = nullptr;        // rows × k
  int k = 0;
  SweepRule rule;
};

template <class T>
struct MoveRun {
  const T* now = nullptr;
  const T* before = nullptr;
  T* out = nullptr;
  std::int64_t rows = 0;
  int k = 0;
  double reach = 0;
};

struct RunTask {
  std::size_t run;
  std::size_t chunk;
};

// Calls body(run, chunk, worker, stats) once for every chunk of every run, and returns what each
// run measured, chunk by chunk. Chunk-major: neighbouring tasks read the same rows of X.
template <class Body>
std::vector<std::vector<StepStats>> for_runs(const std::vector<std::size_t>& n_chunks,
                                             std::size_t n_threads, const Body& body) {
  std::vector<std::vector<StepStats>> parts(n_chunks.size());
  std::size_t most = 0;
  for (std::size_t r = 0; r < n_chunks.size(); ++r) {
    parts[r].resize(n_chunks[r]);
    most = std::max(most, n_chunks[r]);
  }
  std::vector<RunTask> tasks;
  for (std::size_t c = 0; c < most; ++c) {
    for (std::size_t r = 0; r < n_chunks.size(); ++r) {
      if (c < n_chunks[r]) tasks.push_back({r, c});
    }
  }
  Pool::instance().run(tasks.size(), n_threads, [&](std::size_t i, std::size_t worker) {
    const RunTask task = tasks[i];
    body(task.run, task.chunk, worker, parts[task.run][task.chunk]);
  });
  return parts;
}

// Threads that get any of the tasks; each has its own scratch.
inline std::size_t workers(std::size_t n_threads, const std::vector<std::size_t>& n_chunks) {
  std::size_t tasks = 0;
  for (std::size_t n : n_chunks) tasks += n;
  return std::max<std::size_t>(1, std::min(n_threads, tasks));
}

// The scratch of every worker for every run, each made when its worker first meets the run.
template <class T>
class RunSpaces {
 public:
  RunSpaces(std::size_t n_workers, std::size_t n_runs)
      : n_runs_(n_runs), spaces_(n_workers * n_runs) {}

  SweepSpace<T>& get(std::size_t worker, std::size_t run, const T* G, int k, double l2) {
    auto& space = spaces_[worker * n_runs_ + run];
    if (!space) {
      space = std::make_unique<SweepSpace<T>>(k);
      if (G != nullptr) space->load_gram(G, k, l2);
    }
    return *space;
  }

 private:
  std::size_t n_runs_;
  std::vector<std::unique_ptr<SweepSpace<T>>> spaces_;
};

inline std::vector<StepStats> merge_runs(std::vector<std::vector<StepStats>>& parts,
                                         const std::vector<int>& ranks) {
  std::vector<StepStats> out(parts.size());
  for (std::size_t r = 0; r < parts.size(); ++r) merge(parts[r], out[r], ranks[r]);
  return out;
}

template <class T, class I>
std::vector<StepStats> gram_steps_csr(const CsrView<T, I>& X,
                                      const std::vector<std::int64_t>& chunks,
                                      const std::vector<GramRun<T>>& runs,
                                      const FactorTerms<T>& terms, std::size_t n_threads) {
  const std::vector<std::size_t> n_chunks(runs.size(), chunks.size() - 1);
  n_threads = workers(n_threads, n_chunks);
  RunSpaces<T> spaces(n_threads, runs.size());
  std::vector<int> ranks;
  for (const auto& run : runs) ranks.push_back(run.k);
  auto parts =
      for_runs(std::vector<std::size_t>(runs.size(), chunks.size() - 1), n_threads,
               [&](std::size_t r, std::size_t c, std::size_t worker, StepStats& out) {
                 const GramRun<T>& run = runs[r];
                 out.gram.assign(static_cast<std::size_t>(run.k) * run.k, 0.0);
                 gram_rows_csr(X, run.F, run.W, terms, run.rule, run.k, chunks[c], chunks[c + 1],
                               spaces.get(worker, r, run.G, run.k, terms.l2), out);
               });
  return merge_runs(parts, ranks);
}

template <class T>
NONNEG_CLONES void gram_rows_wide(const GramRun<T>& run, const FactorTerms<T>& terms,
                                  std::int64_t begin, std::int64_t end, SweepSpace<T>& space,
                                  StepStats& out) {
  constexpr int L = kLanes<T>;
  const int k = run.k;
  for (std::int64_t i = begin; i < end; i += L) {
    const int n = static_cast<int>(std::min<std::int64_t>(L, end - i));
    for (int l = 0; l < n; ++l) {
      const T* from = run.cross + (i + l) * run.stride;
      std::copy(from, from + k, space.rows.data() + static_cast<std::size_t>(l) * k);
    }
    const std::uint8_t* fixed = terms.fixed ? terms.fixed + i * k : nullptr;
    sweep_rows(space.rows.data(), run.W + i * k, fixed, n, k, terms, run.rule, space, out);
  }
}

// The cross products of all runs side by side: one product of BLAS makes them.
template <class T>
std::vector<StepStats> gram_steps_cross(std::int64_t rows, const std::vector<GramRun<T>>& runs,
                                        const FactorTerms<T>& terms, std::size_t n_threads) {
  std::vector<std::vector<std::int64_t>> chunks;
  std::vector<std::size_t> n_chunks;
  std::vector<int> ranks;
  for (const auto& run : runs) {
    chunks.push_back(dense_chunks(rows, static_cast<std::int64_t>(run.k) * run.k));
    n_chunks.push_back(chunks.back().size() - 1);
    ranks.push_back(run.k);
  }
  n_threads = workers(n_threads, n_chunks);
  RunSpaces<T> spaces(n_threads, runs.size());
  auto parts = for_runs(n_chunks, n_threads,
                        [&](std::size_t r, std::size_t c, std::size_t worker, StepStats& out) {
                          const GramRun<T>& run = runs[r];
                          out.gram.assign(static_cast<std::size_t>(run.k) * run.k, 0.0);
                          gram_rows_wide(run, terms, chunks[r][c], chunks[r][c + 1],
                                         spaces.get(worker, r, run.G, run.k, terms.l2), out);
                        });
  return merge_runs(parts, ranks);
}

// out = now + reach (now − before) in the bounds, and the Gram matrix of the result.
template <class T>
std::vector<StepStats> extrapolate_runs(const std::vector<MoveRun<T>>& runs, double lower,
                                        double upper, std::size_t n_threads) {
  std::vector<std::vector<std::int64_t>> chunks;
  std::vector<std::size_t> n_chunks;
  std::vector<int> ranks;
  for (const auto& run : runs) {
    chunks.push_back(dense_chunks(run.rows, static_cast<std::int64_t>(run.k) * run.k));
    n_chunks.push_back(chunks.back().size() - 1);
    ranks.push_back(run.k);
  }
  n_threads = workers(n_threads, n_chunks);
  RunSpaces<T> spaces(n_threads, runs.size());
  auto parts = for_runs(
      n_chunks, n_threads, [&](std::size_t r, std::size_t c, std::size_t worker, StepStats& out) {
        const MoveRun<T>& run = runs[r];
        out.gram.assign(static_cast<std::size_t>(run.k) * run.k, 0.0);
        extrapolate_rows(run.now, run.before, static_cast<T>(run.reach), static_cast<T>(lower),
                         static_cast<T>(upper), run.k, chunks[r][c], chunks[r][c + 1], run.out,
                         spaces.get(worker, r, nullptr, run.k, 0.0), out);
      });
  return merge_runs(parts, ranks);
}

template <class Space, class T, class Body>
std::vector<StepStats> entry_runs(const std::vector<std::int64_t>& chunks,
                                  const std::vector<EntryTask<T>>& runs, std::size_t n_threads,
                                  const Body& body) {
  const std::vector<std::size_t> n_chunks(runs.size(), chunks.size() - 1);
  n_threads = workers(n_threads, n_chunks);
  std::vector<Space> spaces(n_threads);
  const auto parts = for_runs(
      n_chunks, n_threads, [&](std::size_t r, std::size_t c, std::size_t worker, StepStats& out) {
        body(runs[r], chunks[c], chunks[c + 1], spaces[worker], out);
      });
  std::vector<StepStats> out(runs.size());
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (const StepStats& part : parts[r]) {
      out[r].loss += part.loss;
      out[r].residual += part.residual;
    }
  }
  return out;
}

template <class T, class I>
std::vector<StepStats> entry_steps_csr(const CsrView<T, I>& X,
                                       const std::vector<std::int64_t>& chunks,
                                       const std::vector<EntryTask<T>>& runs, bool full,
                                       std::size_t n_threads) {
  return entry_runs<EntrySpace<T>>(
      chunks, runs, n_threads,
      [&](const EntryTask<T>& run, std::int64_t b, std::int64_t e, EntrySpace<T>& space,
          StepStats& out) { entry_rows_csr(X, run, full, b, e, space, out); });
}

// Bundles of runs of one rank, as many in each as a register holds.
template <class T>
std::vector<RunBundle<T>> bundled(const std::vector<EntryTask<T>>& runs) {
  const std::size_t lanes = static_cast<std::size_t>(lane_bytes()) / sizeof(T);
  std::vector<RunBundle<T>> bundles;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    RunBundle<T>* room = nullptr;
    for (auto& bundle : bundles) {
      if (bundle.k(runs) == runs[r].k && bundle.runs.size() < lanes) room = &bundle;
    }
    if (room == nullptr) room = &bundles.emplace_back();
    room->runs.push_back(r);
  }
  return bundles;
}

// All runs abreast, each in a lane of its own.
template <class T, class I>
std::vector<StepStats> entry_steps_abreast(const CsrView<T, I>& X,
                                           const std::vector<std::int64_t>& chunks,
                                           const std::vector<EntryTask<T>>& runs,
                                           std::size_t n_threads) {
  const int lanes = lane_bytes() / static_cast<int>(sizeof(T));
  auto bundles = bundled(runs);
  for (auto& bundle : bundles) bundle.size(runs, X.cols, lanes);
  const std::size_t n_chunks = chunks.size() - 1, n_tasks = bundles.size() * n_chunks;
  n_threads = std::max<std::size_t>(1, std::min(n_threads, n_tasks));
  const auto parts_of = static_cast<std::int64_t>(n_chunks);
  Pool::instance().run(n_tasks, n_threads, [&](std::size_t i, std::size_t) {
    const auto c = static_cast<std::int64_t>(i % n_chunks);
    bundles[i / n_chunks].fill(runs, X.cols * c / parts_of, X.cols * (c + 1) / parts_of, lanes);
  });
  std::vector<AbreastSpace<T>> spaces(n_threads);
  std::vector<std::vector<StepStats>> parts(n_tasks);
  Pool::instance().run(n_tasks, n_threads, [&](std::size_t i, std::size_t worker) {
    const RunBundle<T>& bundle = bundles[i / n_chunks];
    const std::size_t c = i % n_chunks;
    parts[i].resize(bundle.runs.size());
    lane_runs(X, runs, bundle, chunks[c], chunks[c + 1], spaces[worker], parts[i].data());
  });
  std::vector<StepStats> out(runs.size());
  for (std::size_t i = 0; i < n_tasks; ++i) {
    const RunBundle<T>& bundle = bundles[i / n_chunks];
    for (std::size_t l = 0; l < bundle.runs.size(); ++l) {
      out[bundle.runs[l]].loss += parts[i][l].loss;
      out[bundle.runs[l]].residual += parts[i][l].residual;
    }
  }
  return out;
}

template <class T>
std::vector<StepStats> entry_steps_dense(const DenseView<T>& X,
                                         const std::vector<EntryTask<T>>& runs, bool side_by_side,
                                         std::size_t n_threads) {
  if (side_by_side) {
    return entry_runs<LaneSpace<T>>(
        lane_chunks(X), runs, n_threads,
        [&](const EntryTask<T>& run, std::int64_t b, std::int64_t e, LaneSpace<T>& space,
            StepStats& out) { lane_rows(X, run, b, e, space, out); });
  }
  return entry_runs<EntrySpace<T>>(
      dense_chunks(X.rows, X.cols), runs, n_threads,
      [&](const EntryTask<T>& run, std::int64_t b, std::int64_t e, EntrySpace<T>& space,
          StepStats& out) { entry_rows_dense(X, run, b, e, space, out); });
}

}  // namespace nonneg

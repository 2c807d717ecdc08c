// Identities of the kernels, without Python: run.sh builds this under the sanitizers.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>

#include "nonneg/bytes.hpp"
#include "nonneg/entries.hpp"
#include "nonneg/gram.hpp"
#include "nonneg/pivot.hpp"
#include "nonneg/runs.hpp"

using namespace nonneg;

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                \
    }                                                                              \
  } while (false)
#define CHECK_NEAR(a, b, tolerance) \
  CHECK(std::abs((a) - (b)) <= (tolerance) * (1 + std::abs(static_cast<double>(b))))

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 2e-5 : 1e-11;

// A sparse matrix of several chunks with empty rows, a long row and unsorted, repeated columns.
template <class T, class I>
struct Sample {
  std::int64_t rows, cols;
  int k;
  std::vector<std::int64_t> indptr{0};
  std::vector<I> indices;
  std::vector<T> values, weights, F, Ft, G, W, sums;

  Sample(std::int64_t rows_, std::int64_t cols_, int k_, unsigned seed = 1)
      : rows(rows_), cols(cols_), k(k_) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> unit(0.1, 1.0);
    std::uniform_int_distribution<std::int64_t> column(0, cols - 1);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t n = i % 7 == 3 ? 0 : i == 1 ? 4 * cols : i % 40;
      for (std::int64_t p = 0; p < n; ++p) {
        indices.push_back(static_cast<I>(column(random)));
        values.push_back(p % 11 == 5 ? T(0) : static_cast<T>(5 * unit(random)));
        weights.push_back(static_cast<T>(unit(random)));
      }
      indptr.push_back(static_cast<std::int64_t>(indices.size()));
    }
    for (std::int64_t j = 0; j < cols * k; ++j) F.push_back(static_cast<T>(unit(random)));
    for (std::int64_t j = 0; j < rows * k; ++j) {
      W.push_back(j % 5 == 2 ? T(0) : static_cast<T>(unit(random)));
    }
    for (std::int64_t j = 0; j < cols && k > 1; ++j) F[j * k + 1] = 0;  // a dead component
    for (int t = 0; t < k; ++t) {
      double sum = 0;
      for (std::int64_t j = 0; j < cols; ++j) {
        Ft.push_back(F[j * k + t]);
        sum += F[j * k + t];
      }
      sums.push_back(static_cast<T>(sum));
      for (int s = 0; s < k; ++s) {
        double g = 0;
        for (std::int64_t j = 0; j < cols; ++j) {
          g += static_cast<double>(F[j * k + t]) * F[j * k + s];
        }
        G.push_back(static_cast<T>(g));
      }
    }
  }

  CsrView<T, I> view(bool weighted = false) const {
    return {rows,           cols,          indptr.data(),
            indices.data(), values.data(), weighted ? weights.data() : nullptr};
  }
  std::vector<std::int64_t> chunks() const { return csr_chunks(rows, indptr.data()); }

  EntryTask<T> task(T* w, Loss loss, Update update, bool full = false, bool nonzero = false) const {
    EntryTask<T> out;
    out.F = F.data();
    out.Ft = full ? Ft.data() : nullptr;
    out.sums = nonzero ? sums.data() : nullptr;
    out.W = w;
    out.k = k;
    out.loss = loss;
    out.update = update;
    out.terms.upper = kInf;
    out.rule = SweepRule{3, 1e-3};
    out.cautious = true;
    return out;
  }
};

FactorTerms<float> unbounded(float) { return {0.01, 0.02, 0, 0, kInf, nullptr}; }
FactorTerms<double> unbounded(double) { return {0.01, 0.02, 0, 0, kInf, nullptr}; }

bool same(const StepStats& a, const StepStats& b) {
  return a.cross == b.cross && a.loss == b.loss && a.residual == b.residual && a.gram == b.gram;
}

// ½‖X‖² − ⟨XF, W⟩ + ½⟨G, WᵀW⟩ is ½‖X − WFᵀ‖², entry by entry.
template <class T, class I>
void objective_identity(int k) {
  Sample<T, I> s(300, 50, k);
  const auto X = s.view();
  const StepStats stats = gram_step_csr(X, s.chunks(), s.F.data(), s.G.data(), s.W.data(), k,
                                        unbounded(T()), SweepRule{2, 0}, 2);
  double direct = 0, squares = 0, inner = 0;
  std::vector<double> row(static_cast<std::size_t>(s.cols));
  for (std::int64_t i = 0; i < s.rows; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::int64_t p = s.indptr[i]; p < s.indptr[i + 1]; ++p) row[s.indices[p]] += s.values[p];
    for (std::int64_t j = 0; j < s.cols; ++j) {
      double r = row[j];
      squares += r * r;
      for (int t = 0; t < k; ++t) r -= static_cast<double>(s.W[i * k + t]) * s.F[j * k + t];
      direct += 0.5 * r * r;
    }
  }
  for (std::size_t j = 0; j < s.G.size(); ++j) inner += s.G[j] * stats.gram[j];
  CHECK_NEAR(0.5 * squares - stats.cross + 0.5 * inner, direct, kTolerance<T>);
  for (int t = 0; t < k; ++t) {
    for (int u = 0; u < k; ++u) CHECK(stats.gram[t * k + u] == stats.gram[u * k + t]);
  }
  // The entry form on full rows says the same.
  const StepStats full =
      entry_step_csr(X, s.chunks(), s.task(s.W.data(), Loss{}, Update::kMeasure, true), true, 2);
  CHECK_NEAR(full.loss, direct, kTolerance<T>);
}

// Kullback–Leibler from the non-zeros alone is what it is on full rows.
template <class T, class I>
void nonzeros_suffice(int k) {
  // Each cell at most once: the form on non-zeros takes repeated cells one by one.
  Sample<T, I> s(200, 40, k);
  for (std::int64_t i = 0; i < s.rows; ++i) {
    for (std::int64_t p = s.indptr[i]; p < s.indptr[i + 1]; ++p) {
      const std::int64_t at = p - s.indptr[i];
      s.indices[p] = static_cast<I>(at % s.cols);
      if (at >= s.cols) s.values[p] = 0;
    }
  }
  const Loss kl{LossKind::kBeta, 1, 0, 1, 1e-9};
  for (Update update : {Update::kDescend, Update::kMultiply, Update::kMeasure}) {
    auto a = s.W, b = s.W;
    const auto few =
        entry_step_csr(s.view(), s.chunks(), s.task(a.data(), kl, update, false, true), false, 2);
    const auto all =
        entry_step_csr(s.view(), s.chunks(), s.task(b.data(), kl, update, true), true, 2);
    // Empty rows become zero at once in the one form, in steps of 1 % in the other.
    if (update == Update::kMeasure) CHECK_NEAR(few.loss, all.loss, 10 * kTolerance<T>);
    for (std::int64_t i = 0; i < s.rows; ++i) {
      if (s.indptr[i] == s.indptr[i + 1] || i == 1) continue;
      for (std::int64_t j = i * k; j < (i + 1) * k; ++j)
        CHECK_NEAR(a[j], b[j], 1e3 * kTolerance<T>);
    }
  }
}

template <class T, class I>
void same_bits_for_any_threads(int k) {
  const Sample<T, I> s(4000, 200, k);
  const auto X = s.view(true);
  const auto chunks = s.chunks();
  CHECK(chunks.size() > 3);
  const std::vector<T> cross(s.W.rbegin(), s.W.rend());
  const Loss kl{LossKind::kBeta, 1, 0, 1, 1e-9}, is{LossKind::kBeta, 0.5, 0, 1, 1e-9};
  const auto run = [&](int kind, std::vector<T>& W, std::size_t n) -> StepStats {
    const auto entries = [&](Loss loss, Update update, bool full) {
      return entry_step_csr(full ? s.view() : X, chunks, s.task(W.data(), loss, update, full), full,
                            n);
    };
    switch (kind) {
      case 0:
        return gram_step_csr(X, chunks, s.F.data(), s.G.data(), W.data(), k, unbounded(T()),
                             SweepRule{3, 1e-2}, n);
      case 1:
        return gram_step_cross(cross.data(), s.rows, s.G.data(), W.data(), k, unbounded(T()),
                               SweepRule{3, 1e-2}, n);
      case 2: {
        const std::vector<double> G(s.G.begin(), s.G.end());
        return pivot_step_cross(cross.data(), s.rows, G.data(), W.data(), k, unbounded(T()), n);
      }
      case 3:
        return entries(Loss{}, Update::kDescend, false);
      case 4:
        return entries(kl, Update::kDescend, false);
      case 5:
        return entries(kl, Update::kDescend, true);
      case 6:
        return entries(Loss{LossKind::kHuber, 2, 0.5, 1, 0}, Update::kDescend, false);
      case 7:
        return entries(Loss{LossKind::kRowNorm, 2, 0.1, 1, 0}, Update::kDescend, false);
      case 8:
        return entries(is, Update::kMultiply, false);
      default: {
        const DenseView<T> dense{s.rows, k, k, cross.data()};
        const bool side_by_side = kind == 10;
        auto task = s.task(W.data(), side_by_side ? kl : Loss{}, Update::kDescend, true);
        task.F = s.G.data();  // any k × k factor will do
        task.Ft = s.G.data();
        return entry_steps_dense(dense, std::vector<EntryTask<T>>{task}, side_by_side, n).front();
      }
    }
  };
  for (int kind = 0; kind < 11; ++kind) {
    auto serial = s.W;
    const StepStats expected = run(kind, serial, 1);
    CHECK(std::isfinite(expected.loss + expected.cross + expected.residual));
    for (std::size_t n : {2, 4}) {
      auto W = s.W;
      const StepStats got = run(kind, W, n);
      CHECK(same(got, expected));
      CHECK(std::memcmp(W.data(), serial.data(), W.size() * sizeof(T)) == 0);
    }
  }
}

// Beyond the limit columns are gathered one by one; nothing else changes.
template <class T, class I>
void gathering_limit(int k) {
  const Sample<T, I> s(300, 50, k);
  for (Update update : {Update::kDescend, Update::kMultiply}) {
    auto a = s.W, b = s.W;
    const Loss kl{LossKind::kBeta, 1, 0, 1, 1e-9};
    auto task = s.task(a.data(), kl, update);
    entry_step_csr(s.view(true), s.chunks(), task, false, 2);
    task.W = b.data();
    task.gather_limit = 20;
    entry_step_csr(s.view(true), s.chunks(), task, false, 2);
    for (std::size_t j = 0; j < a.size(); ++j) CHECK_NEAR(a[j], b[j], 1e2 * kTolerance<T>);
  }
}

// Pivoting ends where no coordinate wants to move.
void pivot_is_optimal() {
  const int k = 12;
  Sample<double, std::int32_t> s(200, 40, k);
  std::vector<double> cross(s.W.size());
  spmm(s.view(), s.chunks(), s.F.data(), k, cross.data(), 2);
  auto terms = unbounded(1.0);
  pivot_step_cross(cross.data(), s.rows, s.G.data(), s.W.data(), k, terms, 2);
  double size = 0;
  for (double c : cross) size += c * c;
  const StepStats rest =
      gram_step_cross(cross.data(), s.rows, s.G.data(), s.W.data(), k, terms, SweepRule{1, 0}, 2);
  CHECK(rest.residual <= 1e-20 * size);
}

void logarithm() {
  std::mt19937_64 random(1);
  const auto check = [](double x) {
    const double exact = std::log(x);
    CHECK(std::abs(fast_log(x) - exact) <= 1e-13 * std::abs(exact));
  };
  for (int i = 0; i < 300000; ++i) {  // every exponent of a normal number, any mantissa
    const std::uint64_t exponent = 1 + random() % 2046, mantissa = random() >> 12;
    check(std::bit_cast<double>((exponent << 52) | mantissa));
  }
  for (int i = 1; i < 2000; ++i) {  // around 1 and around √2, where the pieces meet
    for (double centre : {1.0, std::sqrt(2.0), std::sqrt(0.5), 2.0, 0.5}) {
      check(centre * (1 + i * 0x1p-50));
      check(centre * (1 - i * 0x1p-50));
    }
  }
  CHECK(fast_log(1.0) == 0);
  check(std::numeric_limits<double>::min());
  check(std::numeric_limits<double>::max());
}

template <class I>
void corrupt_structures() {
  const auto problem = [](std::vector<std::int64_t> indptr, std::vector<I> indices,
                          std::int64_t n_values, std::int64_t rows = 3, std::int64_t cols = 4) {
    return csr_problem<I>(rows, cols, indptr.data(), static_cast<std::int64_t>(indptr.size()),
                          indices.data(), static_cast<std::int64_t>(indices.size()), n_values);
  };
  CHECK(problem({0, 2, 2, 3}, {0, 3, 1}, 3) == nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, 3, 1, 99}, 4) == nullptr);  // what lies beyond is never read
  CHECK(problem({0}, {}, 0, 0) == nullptr);
  CHECK(problem({0, 0, 0, 0}, {}, 0, 3, 0) == nullptr);
  for (const auto& indptr :
       std::vector<std::vector<std::int64_t>>{{},
                                              {0},
                                              {0, 2, 3},
                                              {0, 2, 2, 3, 3},
                                              {1, 2, 2, 3},
                                              {-1, 2, 2, 3},
                                              {0, 2, 1, 3},
                                              {0, 2, 2, -3},
                                              {0, 2, 2, 4},
                                              {0, 2, 2, std::int64_t(1) << 62}}) {
    CHECK(problem(indptr, {0, 3, 1}, 3) != nullptr);
  }
  CHECK(problem({0, 2, 2, 3}, {0, 4, 1}, 3) != nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, -1, 1}, 3) != nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, std::numeric_limits<I>::max(), 1}, 3) != nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, std::numeric_limits<I>::min(), 1}, 3) != nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, 3}, 3) != nullptr);
  CHECK(problem({0, 2, 2, 3}, {0, 3, 1}, 2) != nullptr);
}

void chunk_borders_cover_the_rows() {
  for (std::int64_t rows : {0, 1, 2, 100, 5000, 100000}) {
    for (std::int64_t cost : {0, 1, 100, 1000000}) {
      const auto borders = dense_chunks(rows, cost);
      CHECK(borders.front() == 0 && borders.back() == rows);
      CHECK(borders.size() <= 66);
      for (std::size_t c = 1; c < borders.size(); ++c) CHECK(borders[c] > borders[c - 1]);
    }
  }
}

void pool_runs_every_chunk_once() {
  Pool& pool = Pool::instance();
  for (int round = 0; round < 300; ++round) {
    const std::size_t n_chunks = round % 50, n_threads = 1 + round % 6;
    std::vector<std::atomic<int>> seen(n_chunks);
    pool.run(n_chunks, n_threads, [&](std::size_t c, std::size_t worker) {
      CHECK(worker < n_threads);
      ++seen[c];
    });
    for (const auto& count : seen) CHECK(count == 1);
  }
}

void pool_reports_an_exception_and_goes_on() {
  for (std::size_t n_threads : {1, 2, 4}) {
    for (std::size_t bad : {0, 7, 99}) {
      bool caught = false;
      try {
        Pool::instance().run(100, n_threads, [&](std::size_t c, std::size_t) {
          if (c == bad) throw std::runtime_error("on purpose");
        });
      } catch (const std::runtime_error& error) {
        caught = std::strcmp(error.what(), "on purpose") == 0;
      }
      CHECK(caught);
      std::atomic<int> count{0};
      Pool::instance().run(100, n_threads, [&](std::size_t, std::size_t) { ++count; });
      CHECK(count == 100);
    }
  }
}

// Callers that find the pool busy do their own chunks.
void pool_serves_several_callers() {
  std::vector<std::thread> callers;
  std::atomic<int> count{0};
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        Pool::instance().run(20, 3, [&](std::size_t, std::size_t) { ++count; });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(count == 4 * 50 * 20);
}

[[maybe_unused]] void pool_survives_fork() {
  const auto total = [] {
    std::atomic<int> count{0};
    Pool::instance().run(100, 4, [&](std::size_t, std::size_t) { ++count; });
    return count.load();
  };
  CHECK(total() == 100);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::alarm(20);  // a child that hangs is killed, and the test fails
    ::_exit(total() == 100 && total() == 100 ? 0 : 1);
  }
  CHECK(total() == 100);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// Runs of several ranks on one matrix: each has the numbers it would have alone.
template <class T, class I>
void a_run_in_a_batch_is_the_run_alone() {
  const std::vector<int> ranks{1, 9, 4};
  const Loss kl{LossKind::kBeta, 1, 0, 1, 1e-9};
  const auto terms = unbounded(T());
  const SweepRule rule{3, 1e-2};
  std::vector<Sample<T, I>> alone, batch;
  for (int k : ranks) {
    alone.emplace_back(4000, 200, k);
    batch.emplace_back(4000, 200, k);
  }
  const auto X = alone[0].view();
  const auto chunks = alone[0].chunks();
  std::int64_t stride = 0;
  for (int k : ranks) stride += k;
  std::vector<T> wide(static_cast<std::size_t>(4000 * stride));
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<T>((i * 7919) % 101) / 7;
  std::vector<T> moved[2][3];
  for (std::size_t n : {std::size_t(1), std::size_t(2), std::size_t(5)}) {
    std::vector<GramRun<T>> sparse, dense;
    std::vector<EntryTask<T>> entries, full;
    std::vector<MoveRun<T>> moves;
    std::int64_t at = 0;
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      auto& s = batch[r];
      const int k = ranks[r];
      for (auto& out : moved) out[r].assign(s.W.size(), T(0));
      sparse.push_back({s.F.data(), nullptr, 0, s.G.data(), s.W.data(), k, rule});
      dense.push_back({nullptr, wide.data() + at, stride, s.G.data(), s.W.data(), k, rule});
      entries.push_back(s.task(s.W.data(), kl, Update::kDescend, false, true));
      full.push_back(s.task(s.W.data(), kl, Update::kMultiply, true));
      moves.push_back({s.W.data(), wide.data(), moved[0][r].data(), s.rows, k, 0.5});
      at += k;
    }
    const auto a = gram_steps_csr(X, chunks, sparse, terms, n);
    const auto b = gram_steps_cross(std::int64_t(4000), dense, terms, n);
    const auto c = entry_steps_csr(X, chunks, entries, false, n);
    const auto d = entry_steps_csr(X, chunks, full, true, n);
    const auto e = extrapolate_runs(moves, 0.0, kInf, n);
    at = 0;
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      auto& s = alone[r];
      const int k = ranks[r];
      std::vector<T> cross;
      for (std::int64_t i = 0; i < 4000; ++i) {
        for (int t = 0; t < k; ++t) cross.push_back(wide[i * stride + at + t]);
      }
      at += k;
      T* W = s.W.data();
      CHECK(same(a[r], gram_step_csr(X, chunks, s.F.data(), s.G.data(), W, k, terms, rule, n)));
      CHECK(same(b[r], gram_step_cross(cross.data(), s.rows, s.G.data(), W, k, terms, rule, n)));
      CHECK(same(
          c[r], entry_step_csr(X, chunks, s.task(W, kl, Update::kDescend, false, true), false, n)));
      CHECK(same(d[r], entry_step_csr(X, chunks, s.task(W, kl, Update::kMultiply, true), true, n)));
      CHECK(same(e[r],
                 extrapolate(W, wide.data(), s.rows, k, 0.5, 0.0, kInf, moved[1][r].data(), n)));
      CHECK(s.W == batch[r].W);
      CHECK(moved[0][r] == moved[1][r]);
    }
    const DenseView<T> rows{4000, 200, 200, nullptr};
    CHECK(entry_steps_dense(rows, std::vector<EntryTask<T>>(), false, n).empty());
  }
}

// More runs than lanes, of several ranks: the same numbers for any number of threads, and alone.
template <class T, class I>
void runs_abreast_are_independent() {
  const Loss kl{LossKind::kBeta, 1, 0, 1, 1e-6};
  std::vector<Sample<T, I>> samples;
  for (int k : {3, 7, 3, 12, 3, 3, 3, 3}) samples.emplace_back(3000, 150, k);
  const auto X = samples[0].view();
  const auto chunks = samples[0].chunks();
  std::vector<std::vector<T>> first;
  for (std::size_t n : {std::size_t(1), std::size_t(2), std::size_t(5)}) {
    std::vector<std::vector<T>> Ws;
    for (const auto& s : samples) Ws.push_back(s.W);
    std::vector<EntryTask<T>> tasks;
    for (std::size_t r = 0; r < samples.size(); ++r) {
      tasks.push_back(samples[r].task(Ws[r].data(), kl, Update::kDescend, false, true));
      tasks.back().rule = {1 + static_cast<int>(r % 3), 0.1};
      tasks.back().cautious = false;
      CHECK(can_go_abreast(X, tasks.back()));
    }
    const auto got = entry_steps_abreast(X, chunks, tasks, n);
    for (std::size_t r = 0; r < samples.size(); ++r) {
      CHECK(std::isfinite(got[r].loss + got[r].residual));
      std::vector<T> W = samples[r].W;
      auto task = tasks[r];
      task.W = W.data();
      CHECK(same(got[r], entry_steps_abreast(X, chunks, {task}, 1).front()));
      CHECK(W == Ws[r]);
    }
    if (first.empty()) first = Ws;
    CHECK(Ws == first);
  }
  CHECK(entry_steps_abreast(X, chunks, std::vector<EntryTask<T>>(), 2).empty());
}

void byte_products_are_exact() {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> byte(-128, 127), word(-4000, 4000);
  for (std::int64_t k : {0, 1, 31, 64, 200}) {
    std::vector<std::int8_t> rows(7 * k);
    std::vector<std::int16_t> vector(k);
    std::vector<std::int32_t> out(7, -1);
    for (auto& b : rows) b = static_cast<std::int8_t>(byte(random));
    for (auto& v : vector) v = static_cast<std::int16_t>(word(random));
    byte_products(rows.data(), vector.data(), 7, k, out.data());
    for (std::int64_t i = 0; i < 7; ++i) {
      std::int64_t sum = 0;
      for (std::int64_t t = 0; t < k; ++t) sum += std::int64_t{rows[i * k + t]} * vector[t];
      CHECK(out[i] == sum);
    }
  }
}

}  // namespace

int main() {
  logarithm();
  corrupt_structures<std::int32_t>();
  corrupt_structures<std::int64_t>();
  chunk_borders_cover_the_rows();
  pool_runs_every_chunk_once();
  pool_reports_an_exception_and_goes_on();
  pool_serves_several_callers();
#if !defined(__SANITIZE_THREAD__)  // which does not support threads in the child
  pool_survives_fork();
#endif
  for (int k : {1, 7, 20}) {
    objective_identity<float, std::int32_t>(k);
    objective_identity<double, std::int64_t>(k);
    nonzeros_suffice<double, std::int32_t>(k);
    gathering_limit<float, std::int64_t>(k);
    gathering_limit<double, std::int32_t>(k);
  }
  same_bits_for_any_threads<float, std::int32_t>(9);
  same_bits_for_any_threads<double, std::int64_t>(8);
  a_run_in_a_batch_is_the_run_alone<float, std::int32_t>();
  a_run_in_a_batch_is_the_run_alone<double, std::int64_t>();
  runs_abreast_are_independent<float, std::int32_t>();
  runs_abreast_are_independent<double, std::int64_t>();
  pivot_is_optimal();
  byte_products_are_exact();
  std::puts("kernels: all identities hold");
}

// The only file that knows Python: check the arrays, release the GIL, call the kernel.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdlib>
#include <limits>
#include <optional>
#include <string>

#include "nonneg/abreast.hpp"
#include "nonneg/bytes.hpp"
#include "nonneg/entries.hpp"
#include "nonneg/gram.hpp"
#include "nonneg/lanes.hpp"
#include "nonneg/pivot.hpp"
#include "nonneg/runs.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace nonneg;

namespace {

template <class T>
using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Rows2 = nb::ndarray<const T, nb::ndim<2>, nb::any_contig, nb::device::cpu>;

void require(bool ok, const char* message) {
  if (!ok) throw nb::value_error(message);
}

std::size_t threads(int n) {
  require(n >= 1, "n_threads must be at least 1");
  return static_cast<std::size_t>(n);
}

template <class A>
std::int64_t dim(const A& a, std::size_t axis) {
  return static_cast<std::int64_t>(a.shape(axis));
}

nb::tuple as_tuple(StepStats&& stats, int k) {
  auto* gram = new std::vector<double>(std::move(stats.gram));
  nb::capsule owner(gram, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
  const std::size_t side = gram->empty() ? 0 : static_cast<std::size_t>(k);
  nb::ndarray<nb::numpy, double, nb::ndim<2>> array(gram->data(), {side, side}, owner);
  return nb::make_tuple(stats.cross, stats.loss, stats.residual, array);
}

template <class A, class B>
void require_cross(const A& cross, const B& G, std::int64_t rows, std::int64_t k) {
  require(dim(cross, 0) == rows && dim(cross, 1) == k, "cross must have the shape of W");
  require(dim(G, 0) == k && dim(G, 1) == k, "G must be k × k");
}

template <class T>
FactorTerms<T> make_terms(double l1, double l2, double l2_per_entry, double lower, double upper,
                          const std::optional<In2<std::uint8_t>>& fixed, std::int64_t rows,
                          std::int64_t k) {
  FactorTerms<T> terms{l1, l2, l2_per_entry, lower, upper, nullptr};
  if (fixed) {
    require(dim(*fixed, 0) == rows && dim(*fixed, 1) == k, "fixed must have the shape of W");
    terms.fixed = fixed->data();
  }
  return terms;
}

struct EntryOptions {
  int kind;
  double beta, delta, scale, floor;
  int update;
  bool cautious, measure;
};

template <class T>
EntryTask<T> make_task(const In2<T>& F, const std::optional<In2<T>>& Ft,
                       const std::optional<In1<T>>& sums,
                       const std::optional<In1<T>>& column_weights, Out2<T>& W, std::int64_t rows,
                       std::int64_t cols, const FactorTerms<T>& terms, SweepRule rule,
                       const EntryOptions& o) {
  const std::int64_t k = dim(F, 1);
  require(dim(F, 0) == cols, "F needs one row for each column of X");
  require(dim(W, 0) == rows && dim(W, 1) == k, "W needs one row for each row of X and F's width");
  require(!Ft || (dim(*Ft, 0) == k && dim(*Ft, 1) == cols), "Ft must be F transposed");
  require(!sums || dim(*sums, 0) == k, "sums needs one entry a component");
  require(!column_weights || dim(*column_weights, 0) == cols, "column_weights: one a column");
  require(o.kind >= 0 && o.kind <= 3 && o.update >= 0 && o.update <= 2, "unknown loss or update");
  require(rule.max_sweeps >= 1, "max_sweeps must be at least 1");
  require(!(o.update == 0 && o.kind == 1 && o.beta != 1), "descent on a β-divergence needs β = 1");
  EntryTask<T> task;
  task.F = F.data();
  task.Ft = Ft ? Ft->data() : nullptr;
  task.sums = sums ? sums->data() : nullptr;
  task.column_weights = column_weights ? column_weights->data() : nullptr;
  task.W = W.data();
  task.k = static_cast<int>(k);
  task.loss = Loss{static_cast<LossKind>(o.kind), o.beta, o.delta, o.scale, o.floor};
  task.update = static_cast<Update>(o.update);
  task.terms = terms;
  task.rule = rule;
  task.cautious = o.cautious;
  task.measure = o.measure;
  return task;
}

// Item i of a run's tuple, never converted: a copy of W would be updated and thrown away.
template <class A>
A item(const nb::handle& run, std::size_t i) {
  A array;
  if (!nb::try_cast(run[i], array, false)) {
    throw nb::type_error("an array of a run has the wrong dtype, dimension or layout");
  }
  return array;
}

template <class A>
std::optional<A> item_or_none(const nb::handle& run, std::size_t i) {
  if (nb::object(run[i]).is_none()) return std::nullopt;
  return item<A>(run, i);
}

nb::tuple run_tuple(const nb::handle& run, std::size_t length) {
  nb::tuple fields;
  if (!nb::try_cast(run, fields, false) || fields.size() != length) {
    throw nb::type_error("a run is a tuple of its arrays and options");
  }
  return fields;
}

// The arrays of one run of a batch; they stay alive while the kernel runs.
template <class T>
struct EntryArrays {
  In2<T> F;
  std::optional<In2<T>> Ft;
  std::optional<In1<T>> sums, column_weights;
  Out2<T> W;
  SweepRule rule;

  // (F, Ft, sums, column_weights, W, max_sweeps, tolerance)
  explicit EntryArrays(const nb::tuple& run)
      : F(item<In2<T>>(run, 0)),
        Ft(item_or_none<In2<T>>(run, 1)),
        sums(item_or_none<In1<T>>(run, 2)),
        column_weights(item_or_none<In1<T>>(run, 3)),
        W(item<Out2<T>>(run, 4)),
        rule{nb::cast<int>(run[5]), nb::cast<double>(run[6])} {}
};

template <class T>
std::vector<EntryArrays<T>> entry_arrays(const nb::list& runs) {
  std::vector<EntryArrays<T>> arrays;
  for (nb::handle run : runs) arrays.emplace_back(run_tuple(run, 7));
  return arrays;
}

template <class T>
struct GramArrays {
  In2<T> G;
  Out2<T> W;
  SweepRule rule;
  std::optional<In2<T>> F;

  // (G, W, max_sweeps, tolerance) or (G, W, max_sweeps, tolerance, F)
  GramArrays(const nb::tuple& run, std::int64_t rows)
      : G(item<In2<T>>(run, 0)),
        W(item<Out2<T>>(run, 1)),
        rule{nb::cast<int>(run[2]), nb::cast<double>(run[3])} {
    if (run.size() == 5) F = item<In2<T>>(run, 4);
    require(dim(W, 0) == rows, "W has the wrong shape");
    require(dim(G, 0) == k() && dim(G, 1) == k(), "G must be k × k");
    require(rule.max_sweeps >= 1, "max_sweeps must be at least 1");
  }

  std::int64_t k() const { return dim(W, 1); }
};

// Fixed entries belong to one rank.
template <class T>
FactorTerms<T> make_run_terms(double l1, double l2, double l2_per_entry, double lower, double upper,
                              const std::optional<In2<std::uint8_t>>& fixed, std::int64_t rows,
                              const std::vector<std::int64_t>& ranks) {
  const std::int64_t k = ranks.empty() ? 0 : ranks.front();
  for (std::int64_t other : ranks) require(!fixed || other == k, "fixed entries fit one rank only");
  return make_terms<T>(l1, l2, l2_per_entry, lower, upper,
                       ranks.empty() ? std::optional<In2<std::uint8_t>>() : fixed, rows, k);
}

template <class T>
std::vector<EntryTask<T>> make_tasks(std::vector<EntryArrays<T>>& runs, std::int64_t rows,
                                     std::int64_t cols, double l1, double l2, double l2_per_entry,
                                     double lower, double upper,
                                     const std::optional<In2<std::uint8_t>>& fixed,
                                     const EntryOptions& options) {
  std::vector<std::int64_t> ranks;
  for (const auto& run : runs) ranks.push_back(dim(run.F, 1));
  const auto terms = make_run_terms<T>(l1, l2, l2_per_entry, lower, upper, fixed, rows, ranks);
  std::vector<EntryTask<T>> tasks;
  for (auto& run : runs) {
    tasks.push_back(make_task<T>(run.F, run.Ft, run.sums, run.column_weights, run.W, rows, cols,
                                 terms, run.rule, options));
    require(run.Ft.has_value() == runs.front().Ft.has_value(), "runs need one layout");
  }
  return tasks;
}

template <class A>
nb::list as_list(std::vector<StepStats>&& stats, const std::vector<A>& runs) {
  nb::list out;
  for (std::size_t r = 0; r < stats.size(); ++r) {
    out.append(as_tuple(std::move(stats[r]), static_cast<int>(dim(runs[r].W, 1))));
  }
  return out;
}

// A checked sparse matrix. It keeps its arrays alive and never copies them.
template <class T, class I>
class Csr {
 public:
  Csr(std::int64_t rows, std::int64_t cols, In1<std::int64_t> indptr, In1<I> indices, In1<T> values,
      std::optional<In1<T>> weights)
      : indptr_(indptr), indices_(indices), values_(values), weights_(weights) {
    require(rows >= 0 && cols >= 0, "a matrix needs at least 0 rows and columns");
    const char* problem = csr_problem(rows, cols, indptr.data(), dim(indptr, 0), indices.data(),
                                      dim(indices, 0), dim(values, 0));
    require(problem == nullptr, problem ? problem : "");
    require(!weights || weights->shape(0) == values.shape(0), "weights: one a stored entry");
    view_ = {rows,           cols,          indptr.data(),
             indices.data(), values.data(), weights ? weights->data() : nullptr};
    chunks_ = csr_chunks(rows, view_.indptr);
  }

  void times(In2<T> F, Out2<T> out, int n_threads) const {
    require(dim(F, 0) == view_.cols, "F needs one row for each column of X");
    require(dim(out, 0) == view_.rows && out.shape(1) == F.shape(1), "out has the wrong shape");
    const T* f = F.data();
    T* o = out.data();
    const int k = static_cast<int>(F.shape(1));
    nb::gil_scoped_release release;
    spmm(view_, chunks_, f, k, o, threads(n_threads));
  }

  nb::list gram_steps(nb::list runs, double l1, double l2, double lower, double upper,
                      std::optional<In2<std::uint8_t>> fixed, int n_threads) const {
    std::vector<GramArrays<T>> arrays;
    std::vector<GramRun<T>> tasks;
    std::vector<std::int64_t> ranks;
    for (nb::handle run : runs) {
      GramArrays<T>& a = arrays.emplace_back(run_tuple(run, 5), view_.rows);
      require(dim(*a.F, 0) == view_.cols && dim(*a.F, 1) == a.k(), "F: one row a column of X");
      ranks.push_back(a.k());
      tasks.push_back(
          {a.F->data(), nullptr, 0, a.G.data(), a.W.data(), static_cast<int>(a.k()), a.rule});
    }
    const auto terms = make_run_terms<T>(l1, l2, 0, lower, upper, fixed, view_.rows, ranks);
    const std::size_t n = threads(n_threads);
    std::vector<StepStats> stats;
    {
      nb::gil_scoped_release release;
      stats = gram_steps_csr(view_, chunks_, tasks, terms, n);
    }
    return as_list(std::move(stats), arrays);
  }

  nb::list entry_steps(nb::list runs, int kind, double beta, double delta, double scale,
                       double floor, int update, bool cautious, bool measure, double l1, double l2,
                       double l2_per_entry, double lower, double upper,
                       std::optional<In2<std::uint8_t>> fixed, int n_threads, bool abreast) const {
    auto arrays = entry_arrays<T>(runs);
    const auto tasks =
        make_tasks<T>(arrays, view_.rows, view_.cols, l1, l2, l2_per_entry, lower, upper, fixed,
                      EntryOptions{kind, beta, delta, scale, floor, update, cautious, measure});
    bool full = false;
    for (const auto& run : arrays) {
      full = run.Ft.has_value();
      require(!full || view_.weights == nullptr, "full rows take no entry weights");
      require(!run.sums || (kind == 1 && beta == 1 && !run.column_weights && !view_.weights),
              "column sums stand for the zeros of unweighted Kullback-Leibler only");
    }
    for (const auto& task : tasks) {
      require(!abreast || can_go_abreast(view_, task), "these runs cannot go abreast");
    }
    const std::size_t n = threads(n_threads);
    std::vector<StepStats> stats;
    {
      nb::gil_scoped_release release;
      stats = abreast ? entry_steps_abreast(view_, chunks_, tasks, n)
                      : entry_steps_csr(view_, chunks_, tasks, full, n);
    }
    return as_list(std::move(stats), arrays);
  }

 private:
  In1<std::int64_t> indptr_;
  In1<I> indices_;
  In1<T> values_;
  std::optional<In1<T>> weights_;
  CsrView<T, I> view_;
  std::vector<std::int64_t> chunks_;
};

template <class T, class I>
void bind_csr(nb::module_& m, const char* name) {
  using C = Csr<T, I>;
  nb::class_<C>(m, name, "A checked sparse matrix by rows; see core/kernels.py.")
      .def("times", &C::times, "F"_a.noconvert(), "out"_a.noconvert(), "n_threads"_a)
      .def("gram_steps", &C::gram_steps, "runs"_a, "l1"_a, "l2"_a, "lower"_a, "upper"_a,
           "fixed"_a.noconvert().none(), "n_threads"_a)
      .def("entry_steps", &C::entry_steps, "runs"_a, "kind"_a, "beta"_a, "delta"_a, "scale"_a,
           "floor"_a, "update"_a, "cautious"_a, "measure"_a, "l1"_a, "l2"_a, "l2_per_entry"_a,
           "lower"_a, "upper"_a, "fixed"_a.noconvert().none(), "n_threads"_a, "abreast"_a);
  m.def(
      "csr",
      [](std::int64_t rows, std::int64_t cols, In1<std::int64_t> indptr, In1<I> indices,
         In1<T> values,
         std::optional<In1<T>> weights) { return C(rows, cols, indptr, indices, values, weights); },
      "rows"_a, "cols"_a, "indptr"_a.noconvert(), "indices"_a.noconvert(), "values"_a.noconvert(),
      "weights"_a.noconvert().none());
}

template <class T>
void bind_pivot(nb::module_& m) {
  m.def(
      "pivot_step_cross",
      [](In2<T> cross, In2<double> G, Out2<T> W, double l1, double l2, int n_threads) {
        const std::int64_t rows = dim(W, 0), k = dim(W, 1);
        require_cross(cross, G, rows, k);
        FactorTerms<T> terms;
        terms.l1 = l1;
        terms.l2 = l2;
        const std::size_t n = threads(n_threads);
        const int width = static_cast<int>(k);
        StepStats stats;
        {
          nb::gil_scoped_release release;
          stats = pivot_step_cross(cross.data(), rows, G.data(), W.data(), width, terms, n);
        }
        return as_tuple(std::move(stats), width);
      },
      "cross"_a.noconvert(), "G"_a.noconvert(), "W"_a.noconvert(), "l1"_a, "l2"_a, "n_threads"_a);
}

template <class T>
void bind_runs(nb::module_& m, const char* entry, const char* gram, const char* move) {
  m.def(
      entry,
      [](Rows2<T> X, nb::list runs, int kind, double beta, double delta, double scale, double floor,
         int update, bool cautious, bool measure, double l1, double l2, double l2_per_entry,
         double lower, double upper, std::optional<In2<std::uint8_t>> fixed, int n_threads,
         bool side_by_side) {
        const std::int64_t rows = dim(X, 0), cols = dim(X, 1);
        require(rows == 0 || cols <= 1 || X.stride(1) == 1, "X must be contiguous along its rows");
        auto arrays = entry_arrays<T>(runs);
        const auto tasks =
            make_tasks<T>(arrays, rows, cols, l1, l2, l2_per_entry, lower, upper, fixed,
                          EntryOptions{kind, beta, delta, scale, floor, update, cautious, measure});
        for (const auto& run : arrays) {
          require(run.Ft.has_value() || side_by_side, "dense rows need Ft, or go side by side");
          require(!run.sums, "dense rows take no column sums");
        }
        const DenseView<T> view{rows, cols, rows > 1 ? X.stride(0) : cols, X.data()};
        for (const auto& task : tasks) {
          require(!side_by_side || can_go_side_by_side(view, task), "rows cannot go side by side");
        }
        const std::size_t n = threads(n_threads);
        std::vector<StepStats> stats;
        {
          nb::gil_scoped_release release;
          stats = entry_steps_dense(view, tasks, side_by_side, n);
        }
        return as_list(std::move(stats), arrays);
      },
      "X"_a.noconvert(), "runs"_a, "kind"_a, "beta"_a, "delta"_a, "scale"_a, "floor"_a, "update"_a,
      "cautious"_a, "measure"_a, "l1"_a, "l2"_a, "l2_per_entry"_a, "lower"_a, "upper"_a,
      "fixed"_a.noconvert().none(), "n_threads"_a, "side_by_side"_a);
  m.def(
      gram,
      [](In2<T> cross, nb::list runs, double l1, double l2, double lower, double upper,
         std::optional<In2<std::uint8_t>> fixed, int n_threads) {
        const std::int64_t rows = dim(cross, 0), width = dim(cross, 1);
        std::vector<GramArrays<T>> arrays;
        std::vector<GramRun<T>> tasks;
        std::vector<std::int64_t> ranks;
        std::int64_t at = 0;
        for (nb::handle run : runs) {
          GramArrays<T>& a = arrays.emplace_back(run_tuple(run, 4), rows);
          ranks.push_back(a.k());
          tasks.push_back({nullptr, cross.data() + at, width, a.G.data(), a.W.data(),
                           static_cast<int>(a.k()), a.rule});
          at += a.k();
        }
        require(at == width, "cross holds the products of all runs side by side");
        const auto terms = make_run_terms<T>(l1, l2, 0, lower, upper, fixed, rows, ranks);
        const std::size_t n = threads(n_threads);
        std::vector<StepStats> stats;
        {
          nb::gil_scoped_release release;
          stats = gram_steps_cross(rows, tasks, terms, n);
        }
        return as_list(std::move(stats), arrays);
      },
      "cross"_a.noconvert(), "runs"_a, "l1"_a, "l2"_a, "lower"_a, "upper"_a,
      "fixed"_a.noconvert().none(), "n_threads"_a);
  m.def(
      move,
      [](nb::list runs, double lower, double upper, int n_threads) {
        struct Arrays {
          In2<T> now, before;
          Out2<T> W;
        };
        std::vector<Arrays> arrays;
        std::vector<MoveRun<T>> tasks;
        for (nb::handle fields : runs) {  // (now, before, reach, out)
          const nb::tuple run = run_tuple(fields, 4);
          Arrays& a = arrays.emplace_back(
              Arrays{item<In2<T>>(run, 0), item<In2<T>>(run, 1), item<Out2<T>>(run, 3)});
          const std::int64_t rows = dim(a.now, 0), k = dim(a.now, 1);
          require(dim(a.before, 0) == rows && dim(a.before, 1) == k,
                  "before must have the shape of now");
          require(dim(a.W, 0) == rows && dim(a.W, 1) == k, "out must have the shape of now");
          tasks.push_back({a.now.data(), a.before.data(), a.W.data(), rows, static_cast<int>(k),
                           nb::cast<double>(run[2])});
        }
        const std::size_t n = threads(n_threads);
        std::vector<StepStats> stats;
        {
          nb::gil_scoped_release release;
          stats = extrapolate_runs(tasks, lower, upper, n);
        }
        return as_list(std::move(stats), arrays);
      },
      "runs"_a, "lower"_a, "upper"_a, "n_threads"_a);
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Compiled kernels of nonneg. Use nonneg.core.kernels, which settles dtype and layout.";
  bind_csr<float, std::int32_t>(m, "CsrF32I32");
  bind_csr<float, std::int64_t>(m, "CsrF32I64");
  bind_csr<double, std::int32_t>(m, "CsrF64I32");
  bind_csr<double, std::int64_t>(m, "CsrF64I64");
  bind_pivot<float>(m);
  bind_pivot<double>(m);
  bind_runs<float>(m, "entry_steps_dense_f32", "gram_steps_cross_f32", "extrapolate_runs_f32");
  bind_runs<double>(m, "entry_steps_dense_f64", "gram_steps_cross_f64", "extrapolate_runs_f64");
  m.def(
      "byte_products",
      [](In2<std::int8_t> rows, In1<std::int16_t> vector, Out1<std::int32_t> out) {
        const std::int64_t n = dim(rows, 0), k = dim(rows, 1);
        require(dim(vector, 0) == k, "vector needs one entry for each column");
        require(dim(out, 0) == n, "out needs one entry for each row");
        std::int64_t most = 0;
        for (std::int64_t t = 0; t < k; ++t) most += 128 * std::abs(int{vector.data()[t]});
        require(most <= std::numeric_limits<std::int32_t>::max(), "sums would not fit in 32 bits");
        nb::gil_scoped_release release;
        byte_products(rows.data(), vector.data(), n, k, out.data());
      },
      "rows"_a.noconvert(), "vector"_a.noconvert(), "out"_a.noconvert());
  m.def("instruction_set", [] {
    if (has_v4()) return "x86-64-v4";
    if (has_v3()) return "x86-64-v3";
    return "baseline";
  });
}

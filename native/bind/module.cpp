// The only file that knows Python: check the arrays, release the GIL, call the kernel.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>

#include "nonneg/entries.hpp"
#include "nonneg/gram.hpp"
#include "nonneg/pivot.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace nonneg;

namespace {

template <class T>
using In1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
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

  nb::tuple gram_step(In2<T> F, In2<T> G, Out2<T> W, double l1, double l2, double lower,
                      double upper, std::optional<In2<std::uint8_t>> fixed, int max_sweeps,
                      double tolerance, int n_threads) const {
    const std::int64_t k = dim(F, 1);
    require(dim(F, 0) == view_.cols, "F needs one row for each column of X");
    require(dim(G, 0) == k && dim(G, 1) == k, "G must be k × k");
    require(dim(W, 0) == view_.rows && dim(W, 1) == k, "W has the wrong shape");
    require(max_sweeps >= 1, "max_sweeps must be at least 1");
    const auto terms = make_terms<T>(l1, l2, 0, lower, upper, fixed, view_.rows, k);
    const std::size_t n = threads(n_threads);
    StepStats stats;
    {
      nb::gil_scoped_release release;
      stats = gram_step_csr(view_, chunks_, F.data(), G.data(), W.data(), static_cast<int>(k),
                            terms, SweepRule{max_sweeps, tolerance}, n);
    }
    return as_tuple(std::move(stats), static_cast<int>(k));
  }

  nb::tuple entry_step(In2<T> F, std::optional<In2<T>> Ft, std::optional<In1<T>> sums,
                       std::optional<In1<T>> column_weights, Out2<T> W, int kind, double beta,
                       double delta, double scale, double floor, int update, bool cautious,
                       bool measure, double l1, double l2, double l2_per_entry, double lower,
                       double upper, std::optional<In2<std::uint8_t>> fixed, int max_sweeps,
                       double tolerance, int n_threads) const {
    const auto terms =
        make_terms<T>(l1, l2, l2_per_entry, lower, upper, fixed, view_.rows, dim(F, 1));
    const EntryOptions options{kind, beta, delta, scale, floor, update, cautious, measure};
    const auto task = make_task<T>(F, Ft, sums, column_weights, W, view_.rows, view_.cols, terms,
                                   SweepRule{max_sweeps, tolerance}, options);
    require(!Ft || view_.weights == nullptr, "full rows take no entry weights");
    require(!sums || (kind == 1 && beta == 1 && !column_weights && view_.weights == nullptr),
            "column sums stand for the zeros of unweighted Kullback-Leibler only");
    const std::size_t n = threads(n_threads);
    StepStats stats;
    {
      nb::gil_scoped_release release;
      stats = entry_step_csr(view_, chunks_, task, task.Ft != nullptr, n);
    }
    return as_tuple(std::move(stats), task.k);
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
      .def("gram_step", &C::gram_step, "F"_a.noconvert(), "G"_a.noconvert(), "W"_a.noconvert(),
           "l1"_a, "l2"_a, "lower"_a, "upper"_a, "fixed"_a.noconvert().none(), "max_sweeps"_a,
           "tolerance"_a, "n_threads"_a)
      .def("entry_step", &C::entry_step, "F"_a.noconvert(), "Ft"_a.noconvert().none(),
           "sums"_a.noconvert().none(), "column_weights"_a.noconvert().none(), "W"_a.noconvert(),
           "kind"_a, "beta"_a, "delta"_a, "scale"_a, "floor"_a, "update"_a, "cautious"_a,
           "measure"_a, "l1"_a, "l2"_a, "l2_per_entry"_a, "lower"_a, "upper"_a,
           "fixed"_a.noconvert().none(), "max_sweeps"_a, "tolerance"_a, "n_threads"_a);
  m.def(
      "csr",
      [](std::int64_t rows, std::int64_t cols, In1<std::int64_t> indptr, In1<I> indices,
         In1<T> values,
         std::optional<In1<T>> weights) { return C(rows, cols, indptr, indices, values, weights); },
      "rows"_a, "cols"_a, "indptr"_a.noconvert(), "indices"_a.noconvert(), "values"_a.noconvert(),
      "weights"_a.noconvert().none());
}

template <class T>
void bind_dense(nb::module_& m) {
  m.def(
      "entry_step_dense",
      [](Rows2<T> X, In2<T> F, In2<T> Ft, std::optional<In1<T>> column_weights, Out2<T> W, int kind,
         double beta, double delta, double scale, double floor, int update, bool cautious,
         bool measure, double l1, double l2, double l2_per_entry, double lower, double upper,
         std::optional<In2<std::uint8_t>> fixed, int max_sweeps, double tolerance, int n_threads) {
        const std::int64_t rows = dim(X, 0), cols = dim(X, 1);
        require(rows == 0 || cols <= 1 || X.stride(1) == 1, "X must be contiguous along its rows");
        const auto terms =
            make_terms<T>(l1, l2, l2_per_entry, lower, upper, fixed, rows, dim(F, 1));
        const EntryOptions options{kind, beta, delta, scale, floor, update, cautious, measure};
        const auto task =
            make_task<T>(F, std::optional<In2<T>>(Ft), std::nullopt, column_weights, W, rows, cols,
                         terms, SweepRule{max_sweeps, tolerance}, options);
        const DenseView<T> view{rows, cols, rows > 1 ? X.stride(0) : cols, X.data()};
        const std::size_t n = threads(n_threads);
        StepStats stats;
        {
          nb::gil_scoped_release release;
          stats = entry_step_dense(view, task, n);
        }
        return as_tuple(std::move(stats), task.k);
      },
      "X"_a.noconvert(), "F"_a.noconvert(), "Ft"_a.noconvert(),
      "column_weights"_a.noconvert().none(), "W"_a.noconvert(), "kind"_a, "beta"_a, "delta"_a,
      "scale"_a, "floor"_a, "update"_a, "cautious"_a, "measure"_a, "l1"_a, "l2"_a, "l2_per_entry"_a,
      "lower"_a, "upper"_a, "fixed"_a.noconvert().none(), "max_sweeps"_a, "tolerance"_a,
      "n_threads"_a);
  m.def(
      "extrapolate",
      [](In2<T> now, In2<T> before, double reach, double lower, double upper, Out2<T> out,
         int n_threads) {
        const std::int64_t rows = dim(now, 0), k = dim(now, 1);
        require(dim(before, 0) == rows && dim(before, 1) == k, "before must have the shape of now");
        require(dim(out, 0) == rows && dim(out, 1) == k, "out must have the shape of now");
        const std::size_t n = threads(n_threads);
        StepStats stats;
        {
          nb::gil_scoped_release release;
          stats = extrapolate(now.data(), before.data(), rows, static_cast<int>(k), reach, lower,
                              upper, out.data(), n);
        }
        return as_tuple(std::move(stats), static_cast<int>(k));
      },
      "now"_a.noconvert(), "before"_a.noconvert(), "reach"_a, "lower"_a, "upper"_a,
      "out"_a.noconvert(), "n_threads"_a);
  m.def(
      "gram_step_cross",
      [](In2<T> cross, In2<T> G, Out2<T> W, double l1, double l2, double lower, double upper,
         std::optional<In2<std::uint8_t>> fixed, int max_sweeps, double tolerance, int n_threads) {
        const std::int64_t rows = dim(W, 0), k = dim(W, 1);
        require_cross(cross, G, rows, k);
        require(max_sweeps >= 1, "max_sweeps must be at least 1");
        const auto terms = make_terms<T>(l1, l2, 0, lower, upper, fixed, rows, k);
        const std::size_t n = threads(n_threads);
        const int width = static_cast<int>(k);
        StepStats stats;
        {
          nb::gil_scoped_release release;
          stats = gram_step_cross(cross.data(), rows, G.data(), W.data(), width, terms,
                                  SweepRule{max_sweeps, tolerance}, n);
        }
        return as_tuple(std::move(stats), width);
      },
      "cross"_a.noconvert(), "G"_a.noconvert(), "W"_a.noconvert(), "l1"_a, "l2"_a, "lower"_a,
      "upper"_a, "fixed"_a.noconvert().none(), "max_sweeps"_a, "tolerance"_a, "n_threads"_a);
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

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Compiled kernels of nonneg. Use nonneg.core.kernels, which settles dtype and layout.";
  bind_csr<float, std::int32_t>(m, "CsrF32I32");
  bind_csr<float, std::int64_t>(m, "CsrF32I64");
  bind_csr<double, std::int32_t>(m, "CsrF64I32");
  bind_csr<double, std::int64_t>(m, "CsrF64I64");
  bind_dense<float>(m);
  bind_dense<double>(m);
  m.def("instruction_set", [] {
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "x86-64-v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "x86-64-v3";
#endif
    return "baseline";
  });
}

// Views: what a kernel sees of somebody else's memory. They own nothing and never allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// One source, several instruction sets: the loader picks the best clone when the module is
// opened. Sanitizer builds switch this off, because resolvers run before the sanitizer does.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) && \
    !defined(NONNEG_NO_CLONES)
#define NONNEG_HAS_CLONES
#define NONNEG_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define NONNEG_CLONES
#endif
#define NONNEG_INLINE inline __attribute__((always_inline))

namespace nonneg {

// What this processor has, as the loader judges it for the clones.
#if defined(__x86_64__) && defined(__GNUC__)
inline bool has_v4() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}
inline bool has_v3() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
inline bool has_v4() { return false; }
inline bool has_v3() { return false; }
#endif

// Compressed sparse rows, checked once by `csr_problem` before any kernel sees them.
template <class T, class I>
struct CsrView {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::int64_t* indptr = nullptr;
  const I* indices = nullptr;
  const T* values = nullptr;
  const T* weights = nullptr;  // one per stored entry, or null for all ones
};

// Row-major dense rows. `stride` counts elements from one row to the next.
template <class T>
struct DenseView {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  const T* values = nullptr;
};

// Returns null for a sound structure, else what is wrong with it.
template <class I>
const char* csr_problem(std::int64_t rows, std::int64_t cols, const std::int64_t* indptr,
                        std::int64_t indptr_len, const I* indices, std::int64_t n_indices,
                        std::int64_t n_values) {
  if (indptr_len != rows + 1) return "indptr needs one entry more than there are rows";
  if (indptr[0] != 0) return "indptr does not start at 0";
  for (std::int64_t i = 0; i < rows; ++i) {
    if (indptr[i + 1] < indptr[i]) return "indptr decreases";
  }
  if (indptr[rows] > n_indices || indptr[rows] > n_values) {
    return "indptr ends beyond the stored entries";
  }
  for (std::int64_t p = 0; p < indptr[rows]; ++p) {
    if (indices[p] < 0 || static_cast<std::int64_t>(indices[p]) >= cols) {
      return "a column index lies outside the matrix";
    }
  }
  return nullptr;
}

// Borders of at most 64 chunks of about equal cost. They depend on the data alone, never on the
// number of threads: partial sums are added in chunk order, so results keep their bits.
template <class Cost>
std::vector<std::int64_t> chunk_borders(std::int64_t rows, double min_cost, Cost cost_before) {
  std::vector<std::int64_t> borders{0};
  const double total = cost_before(rows);
  const double target = total / 64 > min_cost ? total / 64 : min_cost;
  double start = 0;
  for (std::int64_t i = 1; i <= rows; ++i) {
    const double here = cost_before(i);
    if (here - start >= target || i == rows) {
      borders.push_back(i);
      start = here;
    }
  }
  return borders;
}

inline std::vector<std::int64_t> csr_chunks(std::int64_t rows, const std::int64_t* indptr) {
  return chunk_borders(rows, 16384.0, [=](std::int64_t i) {
    return static_cast<double>(indptr[i]) + 16.0 * static_cast<double>(i);
  });
}

inline std::vector<std::int64_t> dense_chunks(std::int64_t rows, std::int64_t cost_per_row) {
  return chunk_borders(rows, 16384.0, [=](std::int64_t i) {
    return static_cast<double>(i) * static_cast<double>(cost_per_row + 16);
  });
}

// Bounds and penalties on the factor that a half-step updates.
template <class T>
struct FactorTerms {
  double l1 = 0;            // gradient of the L1 term
  double l2 = 0;            // curvature of the L2 term
  double l2_per_entry = 0;  // curvature added once for each observed entry of the row
  double lower = 0;
  double upper = 0;                     // infinity for none
  const std::uint8_t* fixed = nullptr;  // rows × k, non-zero where an entry must keep its value
};

struct SweepRule {
  int max_sweeps = 1;
  double tolerance = 0;  // stop when a sweep moves less than this fraction of the first one
};

// What one pass over the rows also measures, in float64.
struct StepStats {
  double cross = 0;          // ⟨X F, W⟩ with the new W (Gram form)
  double loss = 0;           // data term at the new W (entry form)
  double residual = 0;       // Σ curvature·move² of the first sweep: zero exactly at a KKT point
  std::vector<double> gram;  // WᵀW of the new W (Gram form)
};

}  // namespace nonneg

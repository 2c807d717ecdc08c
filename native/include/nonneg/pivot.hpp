// Exact nonnegative least squares of every row in Gram form: block principal pivoting.
//
//   min over w ≥ 0 of ½ w G w − c·w      (Kim & Park 2011, with Murty's rule as the backup)
//
// All arithmetic in double, whatever the data: the passive set is decided by signs.
#pragma once

#include <cmath>
#include <memory>

#include "gram.hpp"

namespace nonneg {

class PivotSpace {
 public:
  // `lost`: a pivot below this fraction of its diagonal entry is rounding.
  PivotSpace(int k, double lost)
      : k_(k),
        lost_(lost),
        factor_(static_cast<std::size_t>(k) * k),
        x_(k),
        y_(k),
        passive_(k),
        index_(k) {}

  // G: k × k with the ridge included. w: the start (its positive entries) and the result.
  template <class T>
  void solve(const double* G, const double* c, T* w) {
    double scale = 0;
    for (int t = 0; t < k_; ++t) {
      passive_[t] = w[t] > 0 && G[at(t, t)] > 0;
      scale = std::max(scale, std::abs(c[t]));
    }
    const double tolerance = 1e-12 * scale;
    int best = k_ + 1, patience = 3;
    refresh(G, c);
    int wrong = 1;
    for (int it = 0; it < 20 * (k_ + 5); ++it) {
      int last = -1;
      wrong = 0;
      for (int t = 0; t < k_; ++t) {
        if (violates(G, t, tolerance)) {
          ++wrong;
          last = t;
        }
      }
      if (wrong == 0) break;
      const bool all = wrong < best || patience > 0;
      if (wrong < best) {
        best = wrong;
        patience = 3;
      } else if (patience > 0) {
        --patience;
      }
      if (all) {
        for (int t = 0; t < k_; ++t) index_[t] = violates(G, t, tolerance);
        for (int t = 0; t < k_; ++t)
          if (index_[t]) passive_[t] = !passive_[t];
      } else {
        passive_[last] = !passive_[last];
      }
      refresh(G, c);
    }
    if (wrong != 0) descend(G, c, w);
    for (int t = 0; t < k_; ++t) w[t] = static_cast<T>(x_[t] > 0 ? x_[t] : 0);
  }

 private:
  // Pivoting may cycle where components depend on each other. Coordinate descent from the start
  // does not, and never ends above it.
  template <class T>
  void descend(const double* G, const double* c, const T* w) {
    for (int t = 0; t < k_; ++t) x_[t] = w[t] > 0 ? w[t] : 0;
    double first = 0;
    for (int it = 0; it < 500; ++it) {
      double moved = 0;
      for (int t = 0; t < k_; ++t) {
        const double h = G[at(t, t)];
        if (!(h > 0)) continue;
        double g = c[t];
        for (int s = 0; s < k_; ++s) g -= G[at(t, s)] * x_[s];
        const double next = std::max(0.0, x_[t] + g / h), d = next - x_[t];
        x_[t] = next;
        moved += h * d * d;
      }
      if (it == 0) first = moved;
      if (moved <= 1e-16 * first) break;
    }
  }

  std::size_t at(int a, int b) const { return static_cast<std::size_t>(a) * k_ + b; }

  bool violates(const double* G, int t, double tolerance) const {
    return passive_[t] ? x_[t] < 0 : y_[t] < -tolerance && G[at(t, t)] > 0;
  }

  // x on the passive set by Cholesky, y = G x − c on the rest.
  void refresh(const double* G, const double* c) {
    int n = 0;
    for (int t = 0; t < k_; ++t)
      if (passive_[t]) index_[n++] = t;
    for (int a = 0; a < n; ++a) {
      for (int b = 0; b <= a; ++b) {
        double v = G[at(index_[a], index_[b])];
        for (int s = 0; s < b; ++s) v -= factor_[at(a, s)] * factor_[at(b, s)];
        if (a != b) {
          factor_[at(a, b)] = v / factor_[at(b, b)];
        } else {
          // A pivot lost to rounding belongs to a component that depends on earlier ones: an
          // infinite pivot leaves it at zero, and those earlier ones do its work.
          const double own = G[at(index_[a], index_[a])];
          factor_[at(a, a)] = v > lost_ * own ? std::sqrt(v) : 1e150;
        }
      }
    }
    for (int a = 0; a < n; ++a) {
      double v = c[index_[a]];
      for (int s = 0; s < a; ++s) v -= factor_[at(a, s)] * y_[s];
      y_[a] = v / factor_[at(a, a)];
    }
    for (int t = 0; t < k_; ++t) x_[t] = 0;
    for (int a = n - 1; a >= 0; --a) {
      double v = y_[a];
      for (int s = a + 1; s < n; ++s) v -= factor_[at(s, a)] * x_[index_[s]];
      x_[index_[a]] = v / factor_[at(a, a)];
    }
    for (int t = 0; t < k_; ++t) {
      double v = -c[t];
      for (int a = 0; a < n; ++a) v += G[at(t, index_[a])] * x_[index_[a]];
      y_[t] = passive_[t] ? 0 : v;
    }
  }

  int k_;
  double lost_;
  std::vector<double> factor_, x_, y_;
  std::vector<char> passive_;
  std::vector<int> index_;
};

template <class T>
StepStats pivot_step_cross(const T* cross, std::int64_t rows, const double* G, T* W, int k,
                           const FactorTerms<T>& terms, std::size_t n_threads) {
  const auto chunks = dense_chunks(rows, static_cast<std::int64_t>(k) * k * k);
  std::vector<double> gram(G, G + static_cast<std::size_t>(k) * k);
  for (int t = 0; t < k; ++t) {
    // A component whose square underflows in T would get a weight whose square overflows.
    const bool empty = static_cast<T>(G[static_cast<std::size_t>(t) * k + t]) == 0;
    for (int s = 0; empty && s < k; ++s) {
      gram[static_cast<std::size_t>(t) * k + s] = gram[static_cast<std::size_t>(s) * k + t] = 0;
    }
    gram[static_cast<std::size_t>(t) * k + t] += terms.l2;
  }
  std::vector<StepStats> parts(chunks.size() - 1);
  Pool::instance().run(parts.size(), n_threads, [&](std::size_t chunk, std::size_t) {
    PivotSpace space(k, sizeof(T) == 4 ? 1e-6 : 1e-12);
    StepStats& out = parts[chunk];
    out.gram.assign(gram.size(), 0.0);
    std::vector<double> c(static_cast<std::size_t>(k)), old(c);
    std::vector<T> small(SweepSpace<T>::gram_scratch(k));
    for (std::int64_t i = chunks[chunk]; i < chunks[chunk + 1]; ++i) {
      T* w = W + i * k;
      for (int t = 0; t < k; ++t) {
        c[t] = static_cast<double>(cross[i * k + t]) - terms.l1;
        old[t] = w[t];
      }
      space.solve(gram.data(), c.data(), w);
      for (int t = 0; t < k; ++t) {
        const double d = static_cast<double>(w[t]) - old[t];
        out.residual += gram[static_cast<std::size_t>(t) * k + t] * d * d;
        out.cross += static_cast<double>(w[t]) * cross[i * k + t];
      }
      add_gram(w, 1, k, small.data(), out.gram.data());
    }
  });
  StepStats out;
  merge(parts, out, k);
  return out;
}

}  // namespace nonneg

// Data terms: their value, and the weights by which robust losses become weighted quadratic ones.
//
// β-divergence (Févotte & Idier 2011): β = 2 is ½(x−y)², β = 1 Kullback–Leibler, β = 0
// Itakura–Saito. Huber with scale s and width δ: s·½r² inside δ, s·δ(|r| − δ/2) beyond; L1 is
// its limit (s = 1/δ, small δ). L21: the norm of each row (or, transposed, given column weights).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "views.hpp"

namespace nonneg {

enum class LossKind : int { kQuadratic = 0, kBeta = 1, kHuber = 2, kRowNorm = 3 };

struct Loss {
  LossKind kind = LossKind::kQuadratic;
  double beta = 2;
  double delta = 0;  // Huber width; for the row norm the smallest norm that is told from zero
  double scale = 1;
  double floor = 0;  // smallest model value that a β-divergence divides by or takes the log of
};

// log(x) for normal positive x, to about 1e-13 relative: branch-free, so that it vectorises.
NONNEG_INLINE double fast_log(double x) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  // Shift so that the mantissa lies in [√½, √2).
  const std::uint64_t shifted = bits - 0x3fe6a09e667f3bcdULL;
  const std::int64_t exponent = static_cast<std::int64_t>(shifted) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(exponent) << 52));
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  const double p =
      1 +
      z * (1.0 / 3 +
           z * (1.0 / 5 +
                z * (1.0 / 7 +
                     z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z / 17)))))));
  return static_cast<double>(static_cast<std::int32_t>(exponent)) * 0.6931471805599453 + 2 * s * p;
}

// Divergence of one entry; y is at least the floor.
NONNEG_INLINE double beta_divergence(double x, double y, double beta) {
  if (beta == 1) return (x > 0 ? x * std::log(x / y) : 0) - x + y;
  if (beta == 0) return x / y - std::log(x / y) - 1;
  if (beta == 2) return 0.5 * (x - y) * (x - y);
  return (std::pow(x, beta) + (beta - 1) * std::pow(y, beta) - beta * x * std::pow(y, beta - 1)) /
         (beta * (beta - 1));
}

// Σ over one row of n observed entries with model values y (already floored for β losses).
template <class T>
NONNEG_INLINE double row_loss(const Loss& loss, const T* x, const T* y, const T* weights,
                              std::int64_t n) {
  double total = 0;
  if (loss.kind == LossKind::kBeta && loss.beta == 1) {
    for (std::int64_t p = 0; p < n; ++p) {
      const double a = x[p], b = y[p];
      // The smallest normal number stands in for x = 0: a multiplies the logarithm to zero.
      const double v = a * fast_log((a > 1e-300 ? a : 1e-300) / b) - a + b;
      total += weights ? weights[p] * v : v;
    }
    return total;
  }
  if (loss.kind == LossKind::kBeta && loss.beta != 2) {
    for (std::int64_t p = 0; p < n; ++p) {
      const double v = beta_divergence(x[p], y[p], loss.beta);
      total += weights ? weights[p] * v : v;
    }
    return total;
  }
  for (std::int64_t p = 0; p < n; ++p) {
    const double r = static_cast<double>(x[p]) - static_cast<double>(y[p]);
    const double w = weights ? static_cast<double>(weights[p]) : 1.0;
    double v = r * r;
    if (loss.kind == LossKind::kHuber) {
      const double a = r < 0 ? -r : r;
      v = loss.scale * (a <= loss.delta ? v : 2 * loss.delta * a - loss.delta * loss.delta);
    }
    total += w * v;
  }
  if (loss.kind == LossKind::kRowNorm) {
    // Smoothed below δ like Huber, so that the weights 1/max(norm, δ) majorise it.
    const double norm = std::sqrt(total), d = loss.delta;
    return norm >= d ? norm - 0.5 * d : 0.5 * total / d;
  }
  return 0.5 * total;
}

// Weights of the quadratic that touches the robust loss at residuals r and lies above it.
template <class T>
NONNEG_INLINE void robust_weights(const Loss& loss, const T* r, const T* weights, std::int64_t n,
                                  T* out) {
  if (loss.kind == LossKind::kHuber) {
    const T delta = static_cast<T>(loss.delta), scale = static_cast<T>(loss.scale);
    for (std::int64_t p = 0; p < n; ++p) {
      const T a = r[p] < 0 ? -r[p] : r[p];
      out[p] = (weights ? weights[p] : T(1)) * scale * (a <= delta ? T(1) : delta / a);
    }
    return;
  }
  double total = 0;
  for (std::int64_t p = 0; p < n; ++p) {
    total += (weights ? static_cast<double>(weights[p]) : 1.0) * r[p] * r[p];
  }
  const double norm = std::sqrt(total);
  const T w = static_cast<T>(1.0 / (norm > loss.delta ? norm : loss.delta));
  for (std::int64_t p = 0; p < n; ++p) out[p] = (weights ? weights[p] : T(1)) * w;
}

}  // namespace nonneg

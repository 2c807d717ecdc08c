// Data terms: their value, and the weights by which robust losses become weighted quadratic ones.
//
// β-divergence (Févotte & Idier 2011): β = 2 is ½(x−y)², β = 1 Kullback–Leibler, β = 0
// Itakura–Saito. Huber with scale s and width δ: s·½r² inside δ, s·δ(|r| − δ/2) beyond; L1 is
// its limit (s = 1/δ, small δ). L21: the norm of each row (or, transposed, given column weights).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

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

// artanh(√z)/√z for small z: log m = 2 s·odd_log(s²) with s = (m − 1)/(m + 1). V is double or a
// vector of them.
template <class V>
NONNEG_INLINE V odd_log(V z) {
  return 1 + z * (1.0 / 3 +
                  z * (1.0 / 5 +
                       z * (1.0 / 7 +
                            z * (1.0 / 9 +
                                 z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z / 17.0)))))));
}

// log(x) for normal positive x, to about 1e-13 relative: branch-free, so that it vectorises.
NONNEG_INLINE double fast_log(double x) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  // Shift so that the mantissa lies in [√½, √2).
  const std::uint64_t shifted = bits - 0x3fe6a09e667f3bcdULL;
  const std::int64_t exponent = static_cast<std::int64_t>(shifted) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(exponent) << 52));
  const double s = (m - 1) / (m + 1);
  return static_cast<double>(static_cast<std::int32_t>(exponent)) * 0.6931471805599453 +
         2 * s * odd_log(s * s);
}

// log(1 + m) + e log 2 in float32, to about its rounding, for m in [√½ − 1, √2 − 1) (Cephes'
// polynomial): twice the lanes, no division. V is float or a vector of them.
template <class V>
NONNEG_INLINE V small_log(V m, V e) {
  const V z = m * m;
  V p = 7.0376836292e-2f * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  return (p * m * z - 2.12194440e-4f * e - 0.5f * z) + m + 0.693359375f * e;
}

NONNEG_INLINE float fast_log(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t shifted = bits - 0x3f3504f3u;
  const std::int32_t exponent = static_cast<std::int32_t>(shifted) >> 23;
  const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23)) - 1;
  return small_log(m, static_cast<float>(exponent));
}

// Divergence of one entry; y is at least the floor.
NONNEG_INLINE double beta_divergence(double x, double y, double beta) {
  if (beta == 1) return (x > 0 ? x * std::log(x / y) : 0) - x + y;
  if (beta == 0) return x / y - std::log(x / y) - 1;
  if (beta == 2) return 0.5 * (x - y) * (x - y);
  return (std::pow(x, beta) + (beta - 1) * std::pow(y, beta) - beta * x * std::pow(y, beta - 1)) /
         (beta * (beta - 1));
}

// body(p, weight of p) for p < n, weights being null for all ones. Two loops, because a test inside
// becomes a masked load, and one that masks everything costs tens of cycles on some processors.
template <class T, class Body>
NONNEG_INLINE void each_weighted(const T* weights, std::int64_t n, const Body& body) {
  if (weights != nullptr) {
    for (std::int64_t p = 0; p < n; ++p) body(p, weights[p]);
  } else {
    for (std::int64_t p = 0; p < n; ++p) body(p, T(1));
  }
}
#define NONNEG_BODY [&](std::int64_t p, T weight) __attribute__((always_inline))

// Σ over one row of n observed entries with model values y (already floored for β losses).
template <class T>
NONNEG_INLINE double row_loss(const Loss& loss, const T* x, const T* y, const T* weights,
                              std::int64_t n) {
  double total = 0;
  if (loss.kind == LossKind::kBeta && loss.beta == 1) {
    // y·(r log r − r + 1) with r = x/y in the precision of the data: where the fit is good, what r
    // lost by rounding cancels. The smallest normal number stands in for r = 0, times 0.
    each_weighted(
        weights, n, NONNEG_BODY {
          constexpr T tiny = std::numeric_limits<T>::min();
          const T r = x[p] / (y[p] > tiny ? y[p] : tiny);
          total +=
              static_cast<double>(weight * y[p] * (r * fast_log(r > tiny ? r : tiny) - (r - 1)));
        });
    return total;
  }
  if (loss.kind == LossKind::kBeta && loss.beta != 2) {
    each_weighted(
        weights, n, NONNEG_BODY {
          total += static_cast<double>(weight) * beta_divergence(x[p], y[p], loss.beta);
        });
    return total;
  }
  each_weighted(
      weights, n, NONNEG_BODY {
        const double r = static_cast<double>(x[p]) - static_cast<double>(y[p]);
        double v = r * r;
        if (loss.kind == LossKind::kHuber) {
          const double a = r < 0 ? -r : r;
          v = loss.scale * (a <= loss.delta ? v : 2 * loss.delta * a - loss.delta * loss.delta);
        }
        total += static_cast<double>(weight) * v;
      });
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
    each_weighted(
        weights, n, NONNEG_BODY {
          const T a = r[p] < 0 ? -r[p] : r[p];
          out[p] = weight * scale * (a <= delta ? T(1) : delta / a);
        });
    return;
  }
  double total = 0;
  each_weighted(weights, n, NONNEG_BODY { total += static_cast<double>(weight) * r[p] * r[p]; });
  const double norm = std::sqrt(total);
  const T w = static_cast<T>(1.0 / (norm > loss.delta ? norm : loss.delta));
  each_weighted(weights, n, NONNEG_BODY { out[p] = weight * w; });
}

}  // namespace nonneg

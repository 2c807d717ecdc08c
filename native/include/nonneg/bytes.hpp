// Products of many rows of bytes with one vector: a quarter of what float32 rows would read.
//
// Sums of whole numbers are exact in any order: every processor gets the same bits.
#pragma once

#include "views.hpp"

namespace nonneg {

// out[i] = Σ_t rows[i, t] vector[t]; 128 Σ|vector| has to fit into 32 bits.
template <class V>
NONNEG_CLONES void byte_products(const std::int8_t* rows, const V* vector, std::int64_t n,
                                 std::int64_t k, std::int32_t* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int8_t* row = rows + i * k;
    std::int32_t sum = 0;
    for (std::int64_t t = 0; t < k; ++t) sum += std::int32_t{row[t]} * std::int32_t{vector[t]};
    out[i] = sum;
  }
}

}  // namespace nonneg

# R NMF: brunet for kullback-leibler, lee for frobenius, one core, every run kept.
source("exchange.R")
suppressPackageStartupMessages(library(NMF))
X <- read_matrix()
method <- if (options_given$loss == "frobenius") "lee" else "brunet"
runs <- options_given$runs
started <- proc.time()[["elapsed"]]
result <- nmf(X, options_given$k, method, nrun = runs, seed = options_given$seed,
              .options = if (runs > 1) "k-p" else "-p", .pbackend = NA)
seconds <- proc.time()[["elapsed"]] - started
for (index in seq_len(runs)) {
  one <- if (runs > 1) result[[index]] else result
  write_factors(index - 1, basis(one), coef(one))
}
write_told(seconds, niter(if (runs > 1) result[[runs]] else result))

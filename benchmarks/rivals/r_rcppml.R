# RcppML::nmf: X = W diag(d) H by alternating least squares with coordinate descent.
source("exchange.R")
suppressPackageStartupMessages({
  library(Matrix)
  library(RcppML)
})
X <- read_matrix()
setRcppMLthreads(options_given$threads)
limit <- if (is.null(options_given$maxit)) 100 else options_given$maxit
started <- proc.time()[["elapsed"]]
model <- RcppML::nmf(X, options_given$k, tol = options_given$tol, maxit = limit, verbose = FALSE,
                     seed = options_given$seed)
seconds <- proc.time()[["elapsed"]] - started
write_factors(0, model$w %*% diag(model$d, nrow = options_given$k), model$h)
write_told(seconds, model$iter)

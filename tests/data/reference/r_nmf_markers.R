# Scores and choices of genes, purity, entropy and nsNMF by the R package NMF 0.25:
#   Rscript r_nmf_markers.R > r_nmf_markers.json
suppressMessages({library(NMF); library(jsonlite)})
set.seed(1)
W <- matrix(rgamma(60 * 4, 3), 60, 4)
W[1:8, 1] <- 40; W[10:13, 3] <- 60; W[20:21, 4] <- 0.5
W[7, ] <- c(1, 1, 1, 1)
W[9, ] <- c(1e-9, 2, 1e-9, 1e-9)
place <- function(genes) lapply(genes, function(g) I(as.integer(na.omit(g)) - 1L))
classes <- sample(4, 40, TRUE)
labels <- sample(c("a", "b", "c"), 40, TRUE)
X <- matrix(rpois(30 * 20, 20 * matrix(rgamma(30 * 3, 0.5), 30) %*% matrix(rgamma(3 * 20, 0.5), 3)), 30) + 1
runs <- lapply(1:5, function(s) nmf(X, 3, "nsNMF", theta = 0.5, seed = s, maxIter = 3000,
                                    stopconv = 1e9, .stop = NULL))
ns <- sapply(runs, function(f) deviance(f, X, "KL"))
cat(toJSON(list(
  version = as.character(packageVersion("NMF")),
  W = W,
  kim = unname(featureScore(W, "kim")),
  max = unname(featureScore(W, "max")),
  chosen_kim = unname(place(extractFeatures(W, "kim"))),
  chosen_max = unname(place(extractFeatures(W, "max"))),
  classes = classes - 1L,
  labels = labels,
  purity = purity(factor(classes), factor(labels)),
  entropy = entropy(factor(classes), factor(labels)),
  X = X,
  ns_deviance = min(ns)
), digits = NA, auto_unbox = TRUE))

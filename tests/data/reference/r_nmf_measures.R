# Makes r_nmf_measures.json: what the R package NMF measures on a few runs on its own data, the first
# 200 genes of esGolub. Run: Rscript r_nmf_measures.R > r_nmf_measures.json
suppressPackageStartupMessages(library(NMF))
data(esGolub)
X <- exprs(esGolub)[1:200, ]
text <- function(x) {
  if (is.matrix(x)) return(paste0("[", paste(apply(x, 1, text), collapse = ",\n  "), "]"))
  if (is.character(x)) return(paste0('"', x, '"'))
  numbers <- format(x, digits = 15, trim = TRUE)
  if (length(x) == 1) numbers else paste0("[", paste(numbers, collapse = ","), "]")
}
object <- function(x) {
  paste0("{", paste(sprintf('"%s": %s', names(x), x), collapse = ",\n "), "}")
}
measures <- function(rank, runs) {
  fit <- nmf(X, rank, "brunet", nrun = runs, seed = 123456, .options = "k-p", .pbackend = NA)
  told <- summary(fit, class = esGolub$Cell, target = X)
  best <- minfit(fit)
  object(lapply(list(
    labels = t(sapply(seq_len(runs), function(i) as.integer(predict(fit[[i]], "samples")))),
    cophenetic = cophcor(fit), dispersion = dispersion(fit),
    silhouette_consensus = told[["silhouette.consensus"]],
    silhouette_coef = told[["silhouette.coef"]], silhouette_basis = told[["silhouette.basis"]],
    consensus_classes = as.integer(predict(fit, "consensus")),
    purity = told[["purity"]], entropy = told[["entropy"]],
    coef = signif(t(coef(best)), 12), basis = signif(basis(best)[1:200, ], 12)), text))
}
cat(object(list(
  version = text(as.character(packageVersion("NMF"))), R = text(R.version.string),
  classes = text(as.integer(esGolub$Cell)), few = measures(3, 8), many = measures(5, 30))), "\n")

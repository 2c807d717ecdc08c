# Reading of the data and options that r_bridge.py wrote, and writing of what came out.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
options_given <- list()
for (line in arguments[-1]) {
  pair <- strsplit(line, "=", fixed = TRUE)[[1]]
  options_given[[pair[1]]] <- type.convert(pair[2], as.is = TRUE)
}

path <- function(name) file.path(folder, name)

read_binary <- function(name, what, size) {
  count <- file.info(path(name))$size / size
  readBin(path(name), what, n = count, size = size)
}

read_matrix <- function() {
  shape <- read_binary("shape.bin", "integer", 4)
  if (file.exists(path("dense.bin"))) {
    return(matrix(read_binary("dense.bin", "double", 8), nrow = shape[1]))
  }
  methods::new("dgCMatrix", Dim = shape, p = read_binary("p.bin", "integer", 4),
               i = read_binary("i.bin", "integer", 4), x = read_binary("x.bin", "double", 8))
}

write_factors <- function(index, W, H) {
  writeBin(as.double(W), path(sprintf("W%d.bin", index)))
  writeBin(as.double(H), path(sprintf("H%d.bin", index)))
}

write_told <- function(seconds, n_iter) {
  n_iter <- if (length(n_iter) == 1 && !is.na(n_iter)) n_iter else "null"
  writeLines(sprintf('{"seconds": %.6f, "n_iter": %s}', seconds, n_iter), path("told.json"))
}

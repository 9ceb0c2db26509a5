"""The script that Rscript runs. It reads and writes files of one folder, its only argument.

data.csv: numbers, factors as codes 1.. ; levels.csv: column, level in order; task.csv: key, value.
numbers.csv: kind, group, name, value; said.csv: kind, text.
"""

SCRIPT = r"""
folder <- commandArgs(trailingOnly = TRUE)[1]
at <- function(name) file.path(folder, name)
text <- function(name) read.csv(at(name), colClasses = "character", na.strings = character(0),
                                check.names = FALSE, encoding = "UTF-8")
task <- text("task.csv")
task <- setNames(as.list(task$value), task$key)
data <- read.csv(at("data.csv"), check.names = FALSE)
levels <- text("levels.csv")
for (name in unique(levels$column)) {
  own <- levels$level[levels$column == name]
  data[[name]] <- factor(data[[name]], levels = seq_along(own), labels = own)
}
options(contrasts = c("contr.treatment", "contr.poly"))
said <- data.frame(kind = character(0), text = character(0))
say <- function(kind, words) said[nrow(said) + 1, ] <<- list(kind, paste(words, collapse = " "))
numbers <- data.frame(kind = character(0), group = character(0), name = character(0),
                      value = numeric(0))
put <- function(kind, group, names, values) {
  if (length(values)) numbers <<- rbind(numbers, data.frame(
    kind = kind, group = group, name = names, value = as.numeric(values)))
}
package <- task$package
if (!requireNamespace(package, quietly = TRUE)) {
  say("absent", package)
} else {
  suppressMessages(library(package, character.only = TRUE))
  say("version", paste0(packageVersion(package), " (R ", getRversion(), ")"))
  fit <- tryCatch(withCallingHandlers(eval(parse(text = task$call)),
    warning = function(w) { say("warning", conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(m) { say("warning", conditionMessage(m)); invokeRestart("muffleMessage") }),
    error = function(e) { say("error", conditionMessage(e)); NULL })
  if (!is.null(fit)) {
    put("loglik", "", "", logLik(fit))
    beta <- if (package == "lme4" || inherits(fit, "lme")) fixef(fit) else coef(fit)
    put("fixef", "", names(beta), beta)
    put("se", "", names(beta), sqrt(diag(as.matrix(vcov(fit)))))
    if (package == "lme4") {
      groups <- names(fit@flist)[attr(fit@flist, "assign")]
      found <- VarCorr(fit)
      for (i in seq_along(groups))
        put("variance", groups[i], fit@cnms[[i]], diag(as.matrix(found[[i]])))
      put("sigma2", "", "", sigma(fit)^2)
    } else if (inherits(fit, "lme")) {
      found <- getVarCov(fit)
      put("variance", task$group, rownames(found), diag(found))
    }
  }
}
numbers$value <- sprintf("%.17g", numbers$value)
write.csv(numbers, at("numbers.csv"), row.names = FALSE, fileEncoding = "UTF-8")
write.csv(said, at("said.csv"), row.names = FALSE, fileEncoding = "UTF-8")
"""

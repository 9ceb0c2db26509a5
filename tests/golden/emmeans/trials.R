# Simulated small trials and R's answers on them, unbalanced in every way.
# Rscript trials.R DIR writes trials.csv (one column `case`) and trials.json into DIR.
# R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2, emmeans 1.8.4-1
suppressMessages({
  library(lme4); library(lmerTest); library(emmeans); library(pbkrtest); library(jsonlite)
})
emm_options(pbkrtest.limit = 1e5, lmerTest.limit = 1e5)
polish <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-2, rhoend = 1e-10, maxfun = 2e5),
                      check.conv.singular = "ignore")
into <- commandArgs(TRUE)[1]
plain <- function(x) as.list(as.data.frame(x))
both <- function(x, ...) plain(summary(x, infer = c(TRUE, TRUE), ...))

simulate <- function(sites, arms, visits, by_site, sd, seed) {
  set.seed(seed)
  rows <- list(); k <- 0
  for (s in 1:sites) {
    u <- rnorm(1, 0, sd[1]); uv <- rnorm(length(visits), 0, sd[2])
    for (i in 1:sample(3:8, 1)) {
      k <- k + 1
      arm <- if (by_site) arms[s %% length(arms) + 1] else sample(arms, 1)
      age <- round(rnorm(1, 60, 9)); sex <- sample(c("f", "m"), 1, prob = c(.4, .6))
      own <- rnorm(1, 0, sd[3]); last <- sample(2:length(visits), 1)
      for (t in 1:last) if (runif(1) > .05) rows[[length(rows) + 1]] <- data.frame(
        site = sprintf("s%02d", s), pat = sprintf("p%03d", k), arm, sex, age,
        region = c("east", "north", "west")[s %% 3 + 1], visit = visits[t], t = t - 1,
        y = round(150 + u + uv[t] + own + .2 * (age - 60) - (t - 1) * (2 + match(arm, arms)) +
                  rnorm(1, 0, sd[4]), 1))
    }
  }
  do.call(rbind, rows)
}

out <- list(); frames <- list()
case <- function(name, data, formula, ask, kr = TRUE, types = 3) {
  for (v in names(data)) if (is.character(data[[v]])) data[[v]] <- factor(data[[v]])
  fit <- lmer(as.formula(formula), data, control = polish)
  fit <- update(fit, start = getME(fit, "theta"))
  found <- list(formula = formula, loglik = as.numeric(logLik(fit)), singular = isSingular(fit))
  found$satterthwaite <- c(list(name = names(fixef(fit))), plain(coef(summary(fit))))
  if (kr) {  # each by itself would invert the matrices anew
    V <- vcovAdj(fit)
    df <- apply(diag(nrow(V)), 1, Lb_ddf, V0 = vcov(fit), Vadj = V)
    found$kenward_roger <- list(se = sqrt(diag(as.matrix(V))), df = df)
  }
  for (type in types) {
    a <- anova(fit, type = type)
    found$anova[[paste0("type", type)]] <- c(list(term = rownames(a)), plain(a))
  }
  found$means <- lapply(ask, function(one) {
    mode <- if (is.null(one$df)) "satterthwaite" else one$df
    more <- one[intersect(names(one), c("at", "weights"))]
    emm <- if (is.null(one$var)) do.call(emmeans, c(list(fit, one$specs, by = one$by, lmer.df = mode), more))
      else do.call(emtrends, c(list(fit, one$specs, by = one$by, var = one$var, lmer.df = mode), more))
    got <- c(one, list(frame = both(emm)))
    for (adjust in one$pairs) got$pairs_by[[adjust]] <- both(pairs(emm), adjust = adjust)
    if (!is.null(one$control)) got$against <- both(contrast(emm, "trt.vs.ctrl"), adjust = "mvt")
    got
  })
  out[[name]] <<- found
  frames[[name]] <<- cbind(case = name, data)
}
ask <- function(specs, ...) c(list(specs = specs), list(...))

three <- simulate(7, c("A", "B", "C"), c("v0", "v1", "v2"), FALSE, c(3, 2, 6, 4), 11)
whole <- simulate(8, c("A", "B"), c("v0", "v1", "v2"), TRUE, c(3, 2, 6, 4), 5)
flat <- simulate(6, c("A", "B"), c("v0", "v1", "v2", "v3"), FALSE, c(0, 0, 6, 4), 33)
case("nested", three, "y ~ arm*visit + sex + age + (1 | site) + (1 | pat)", list(
  ask("arm", by = "visit", df = "kenward-roger", pairs = c("tukey", "hochberg"), control = "A"),
  ask("arm", weights = "proportional"),
  ask("visit", by = "arm", pairs = c("tukey", "holm", "bonferroni"), control = "v0"),
  ask("arm", by = "visit", at = list(visit = c("v0", "v2"), age = 45))))
case("site_by_visit", three, "y ~ arm*visit + age + (1 | site) + (1 | site:visit) + (1 | pat)", list(
  ask("visit", weights = "proportional", pairs = "none"),
  ask("arm", by = "visit", df = "kenward-roger", pairs = "tukey")), types = c(1, 3))
case("slopes", three, "y ~ arm*t + region*sex + (1 | site) + (t | pat)", list(
  ask("arm", by = "t", at = list(t = c(0, 2)), pairs = "tukey"),
  ask("region", weights = "proportional", pairs = "holm"),
  ask("sex", by = "region"), ask("arm", var = "t", pairs = "tukey")), kr = FALSE)
case("interactions", three, "y ~ arm*age*sex + visit + (1 | pat)", list(
  ask("arm", by = "sex", pairs = "none"), ask("arm", by = "age", at = list(age = c(50, 70))),
  ask("arm", var = "age", by = "sex"), ask("arm", var = "age", weights = "proportional")), kr = FALSE)
empty <- three[!(three$arm == "C" & three$visit == "v2"), ]
case("empty_cell", empty, "y ~ arm*visit + (1 | site) + (1 | pat)", list(
  ask("arm", by = "visit", pairs = "none"), ask("arm"), ask("visit")), kr = FALSE, types = c(1, 3))
case("whole_sites", whole, "y ~ arm*visit + (1 | site) + (1 | site:visit) + (1 | pat)", list(
  ask("arm", by = "visit", df = "kenward-roger", pairs = "none")))
case("singular", flat, "y ~ arm*t + (1 | site) + (t | pat)", list(
  ask("arm", var = "t", df = "kenward-roger", pairs = "none")))
columns <- c("case", "site", "pat", "arm", "sex", "age", "region", "visit", "t", "y")
write.csv(do.call(rbind, lapply(frames, function(d) d[columns])), file.path(into, "trials.csv"),
          row.names = FALSE, quote = FALSE)
write(toJSON(out, digits = NA, null = "null", pretty = TRUE), file.path(into, "trials.json"))

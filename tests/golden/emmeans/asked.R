# Custom contrasts, slopes, changes, joint tests, weights, `at`, `by`, adjustments, by R.
# Rscript asked.R (here) reads trials.csv and writes asked.json
# R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2, nlme 3.1-162, emmeans 1.8.4-1
suppressMessages({
  library(lme4); library(lmerTest); library(pbkrtest); library(nlme); library(emmeans); library(jsonlite)
})
emm_options(pbkrtest.limit = 1e5, lmerTest.limit = 1e5)
plain <- function(x) as.list(as.data.frame(x))
both <- function(x, ...) plain(summary(x, infer = c(TRUE, TRUE), ...))
adjusted <- function(x, ways = c("none", "bonferroni", "holm", "hochberg"))
  sapply(ways, function(way) both(x, adjust = way), simplify = FALSE)
plan <- list(dosed = c(-1, .5, .5), steps = c(0, -1, 1), low = c(1, -1, 0))

rows <- read.csv("trials.csv")
rows <- rows[rows$case == "nested", ]
for (v in c("site", "pat", "arm", "sex", "visit")) rows[[v]] <- factor(rows[[v]])

# A. Sites and random slopes, unbalanced; two patients lack their age.
gap <- rows
gap$age[gap$pat %in% c("p004", "p011")] <- NA
A <- lmer(y ~ arm * t + arm * sex + age + (1 | site) + (t | pat), gap,
          control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-2, rhoend = 1e-10, maxfun = 2e5),
                                check.conv.singular = "ignore"))
A <- update(A, start = getME(A, "theta"))
means <- function(...) emmeans(A, ..., lmer.df = "kenward-roger")
slopes <- function(...) emtrends(A, ..., var = "t", lmer.df = "kenward-roger")
a <- list(n = nobs(A), age = mean(model.frame(A)$age), loglik = as.numeric(logLik(A)),
          singular = isSingular(A))
a$frame <- both(means(~ arm))
a$proportional <- both(means(~ arm, weights = "proportional"))
a$by_sex <- both(means(~ arm | sex, at = list(age = 70)))
a$at_t <- both(means(~ arm | t, at = list(t = c(0, 2), age = 45)))
a$over_t <- both(means(~ arm, at = list(t = c(0, 2))))
a$custom <- adjusted(contrast(means(~ arm | sex), plan))
a$pairs <- adjusted(pairs(means(~ arm | t, at = list(t = c(0, 2)))), c("none", "tukey", "holm"))
a$trends <- both(slopes(~ arm))
a$trend_pairs <- adjusted(pairs(slopes(~ arm)), c("none", "tukey", "hochberg"))
a$trend_custom <- adjusted(contrast(slopes(~ arm), plan))
a$trend_against <- both(contrast(slopes(~ arm), "trt.vs.ctrl", ref = "A"), adjust = "mvt")
a$joint_tests <- plain(joint_tests(A, by = "sex", lmer.df = "kenward-roger")) # F without lambda
a$satterthwaite <- lapply(list(1:3, 4:6), function(i) {
  L <- emmeans(A, ~ arm | sex)@linfct[i, ]
  plain(contest(A, rbind(L[2, ] - L[1, ], L[3, ] - L[1, ])))
})
a$kr_joint <- lapply(0:1, function(k) {
  L <- emmeans(A, ~ arm | sex)@linfct[1:3 + 3 * k, ]
  as.list(KRmodcomp(A, rbind(L[2, ] - L[1, ], L[3, ] - L[1, ]))$stats[c("Fstat", "ndf", "ddf", "p.value")])
})

# B. Sites and unstructured residuals: z tests, as nlme has neither of our df.
rows$slot <- rows$t + 1
B <- lme(y ~ arm * visit + sex, rows, random = ~ 1 | site,
         correlation = corSymm(form = ~ slot | site / pat), weights = varIdent(form = ~ 1 | visit),
         control = lmeControl(msTol = 1e-12, tolerance = 1e-10, returnObject = FALSE, opt = "optim",
                              optimMethod = "BFGS", maxIter = 500, msMaxIter = 500))
means <- function(...) emmeans(B, ..., mode = "asymptotic")
b <- list(loglik = as.numeric(logLik(B)))
b$frame <- both(means(~ arm | visit))
# emmeans takes lme's variance weights for counts of rows (see ref_grid(B)@grid$.wgt.): counts are given.
stopifnot(any(ref_grid(B, mode = "asymptotic")@grid$.wgt. %% 1 != 0))
b$proportional <- both(means(~ visit, weights = as.numeric(table(rows$arm, rows$sex))))
b$at <- both(means(~ arm, at = list(visit = c("v0", "v2"), sex = "m")))
b$custom <- adjusted(contrast(means(~ arm | visit), plan))
b$pairs <- adjusted(pairs(means(~ visit | arm)), c("none", "tukey", "hochberg"))
b$against <- both(contrast(means(~ arm | visit), "trt.vs.ctrl", ref = "A"), adjust = "mvt")
b$change <- both(contrast(means(~ arm * visit), interaction = c(arm = "trt.vs.ctrl", visit = "trt.vs.ctrl")),
                 adjust = "none")
b$joint_tests <- plain(joint_tests(B, by = "visit", mode = "asymptotic"))
b$residuals <- list(
  pat = as.character(rows$pat), visit = as.character(rows$visit),
  pearson = as.numeric(residuals(B, type = "pearson")),
  normalized = as.numeric(residuals(B, type = "normalized")),
  response = as.numeric(residuals(B)), marginal = as.numeric(residuals(B, level = 0)))
G <- gls(y ~ arm * visit + sex, rows, correlation = corSymm(form = ~ slot | pat),
         weights = varIdent(form = ~ 1 | visit), control = glsControl(tolerance = 1e-10, msTol = 1e-12))
b$gls <- list(loglik = as.numeric(logLik(G)), response = as.numeric(residuals(G)),
  pearson = as.numeric(residuals(G, type = "pearson")),
  normalized = as.numeric(residuals(G, type = "normalized")))
write(toJSON(list(slopes = a, unstructured = b), digits = NA, null = "null", pretty = TRUE), "asked.json")

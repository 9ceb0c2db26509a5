# Means, comparisons and degrees of freedom that the references lack, by R.
# Rscript emmeans.R <shared>/data > emmeans.json; R 4.2.2, emmeans 1.8.4-1, lmerTest 3.1-3, nlme
suppressMessages({
  library(lme4); library(lmerTest); library(emmeans); library(nlme); library(jsonlite)
})
emm_options(pbkrtest.limit = 1e5, lmerTest.limit = 1e5)
set.seed(1)
data <- commandArgs(TRUE)[1]
polish <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-3, rhoend = 1e-9, maxfun = 1e5))
plain <- function(x) as.list(as.data.frame(x))
both <- function(x, ...) plain(summary(x, infer = c(TRUE, TRUE), ...))

rat <- read.csv(file.path(data, "public/RatPupWeight.csv"))
rat$Treatment <- factor(rat$Treatment, c("Control", "High", "Low"))
rat$sex <- factor(rat$sex); rat$Litter <- factor(rat$Litter)
fit <- lmer(weight ~ Treatment * sex + Lsize + (1 | Litter), rat, control = polish)
emm <- emmeans(fit, ~ Treatment | sex, lmer.df = "kenward-roger")
out <- list(rat = list())
for (adjust in c("none", "tukey", "holm", "hochberg", "bonferroni"))
  out$rat$pairs[[adjust]] <- both(pairs(emm), adjust = adjust)
out$rat$against <- both(contrast(emm, "trt.vs.ctrl", ref = "Control"), adjust = "mvt")
out$rat$custom <- both(contrast(emm, list(dosed = c(-1, .5, .5))))
out$rat$equal <- both(emmeans(fit, ~ Treatment, lmer.df = "kenward-roger"))
out$rat$proportional <- both(emmeans(fit, ~ Treatment, weights = "proportional", lmer.df = "kenward-roger"))
out$rat$at <- both(emmeans(fit, ~ Treatment | Lsize, at = list(Lsize = c(8, 14)), lmer.df = "kenward-roger"))
out$rat$trends <- both(emtrends(fit, ~ sex, var = "Lsize", lmer.df = "kenward-roger"))
out$rat$type1 <- plain(anova(fit, type = 1, ddf = "Kenward-Roger"))
female <- rbind(c(0, 1, 0, 0, 0, 0, 0), c(0, 0, 1, 0, 0, 0, 0))
male <- rbind(c(0, 1, 0, 0, 0, 1, 0), c(0, 0, 1, 0, 0, 0, 1))
stopifnot(names(fixef(fit))[c(2, 3, 6, 7)] ==
  c("TreatmentHigh", "TreatmentLow", "TreatmentHigh:sexMale", "TreatmentLow:sexMale"))
out$rat$joint <- lapply(list(female = female, male = male), function(L)
  as.list(pbkrtest::KRmodcomp(fit, L)$stats[c("Fstat", "ndf", "ddf", "p.value")]))
out$rat$nlme <- as.list(as.data.frame(summary(
  lme(weight ~ Treatment * sex + Lsize, rat, random = ~ 1 | Litter))$tTable)[["DF"]])

fev <- read.csv(file.path(data, "public/fev_data.csv"))
fev$t <- as.integer(substr(fev$AVISIT, 4, 4)) - 1
fev$ARMCD <- factor(fev$ARMCD, c("PBO", "TRT"))
fit <- lmer(FEV1 ~ RACE + SEX + ARMCD * t + (t | USUBJID), fev, control = polish)
out$fev$proportional <- both(emmeans(fit, ~ ARMCD, weights = "proportional", lmer.df = "satterthwaite"))
out$fev$equal <- both(emmeans(fit, ~ ARMCD, lmer.df = "satterthwaite"))
trends <- emtrends(fit, ~ ARMCD, var = "t", lmer.df = "satterthwaite")
out$fev$trends <- both(trends)
out$fev$trend_pairs <- both(pairs(trends))

ghana <- do.call(rbind, lapply(Sys.glob(file.path(data, "ghana/sites/site_*.csv")), read.csv))
ghana$visit <- factor(ghana$visit, c("baseline", "month 6", "month 12"))
ghana <- ghana[!is.na(ghana$sbp), ]
fit <- lmer(sbp ~ visit * arm + (1 | site) + (1 | patient), ghana, control = polish)
emm <- emmeans(fit, ~ visit | arm, lmer.df = "satterthwaite")
for (adjust in c("tukey", "holm")) out$ghana$pairs[[adjust]] <- both(pairs(emm), adjust = adjust)
out$ghana$kenward_roger <- both(emmeans(fit, ~ visit | arm, lmer.df = "kenward-roger"))
change <- contrast(emmeans(fit, ~ visit * arm, lmer.df = "satterthwaite"),
                   interaction = c(visit = "trt.vs.ctrl", arm = "trt.vs.ctrl"))
out$ghana$change <- both(change, adjust = "none")
out$ghana$against <- both(contrast(emm, "trt.vs.ctrl"), adjust = "mvt")
out$ghana$type1 <- plain(anova(fit, type = 1))
nested <- lme(sbp ~ visit * arm, ghana, random = ~ 1 | site/patient)
out$ghana$nlme <- as.list(as.data.frame(summary(nested)$tTable)[["DF"]])
cat(toJSON(out, digits = NA, auto_unbox = FALSE, pretty = TRUE))

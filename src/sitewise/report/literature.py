"""The literature that a report can cite, and what one method of a run is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One method as it was used. references: keys of `REFERENCES`."""

    title: str
    text: str
    formula: str = ""
    references: tuple[str, ...] = ()


REFERENCES = {
    "Bates 2015": "Bates D, M\u00e4chler M, Bolker B, Walker S. Fitting linear mixed-effects"
    " models using lme4. Journal of Statistical Software 2015; 67(1).",
    "Bell 2002": "Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression"
    " with multi-stage samples. Survey Methodology 2002; 28: 169\u2013181.",
    "Besag 1991": "Besag J, Clifford P. Sequential Monte Carlo p-values. Biometrika 1991; 78:"
    " 301\u2013304.",
    "Davison 1997": "Davison AC, Hinkley DV. Bootstrap methods and their application. Cambridge"
    " University Press 1997.",
    "Donner 1980": "Donner A, Koval JJ. The estimation of intraclass correlation in the analysis"
    " of family data. Biometrics 1980; 36: 19\u201325.",
    "Fai 1996": "Fai AHT, Cornelius PL. Approximate F-tests of multiple degree of freedom"
    " hypotheses in generalized least squares analyses of unbalanced split-plot experiments."
    " Journal of Statistical Computation and Simulation 1996; 54: 363\u2013378.",
    "Greenhouse 1959": "Greenhouse SW, Geisser S. On methods in the analysis of profile data."
    " Psychometrika 1959; 24: 95\u2013112.",
    "Halekoh 2014": "Halekoh U, H\u00f8jsgaard S. A Kenward\u2013Roger approximation and"
    " parametric bootstrap methods for tests in linear mixed models: the R package pbkrtest."
    " Journal of Statistical Software 2014; 59(9).",
    "Harville 1985": "Harville DA, Fenech AP. Confidence intervals for a variance ratio, or for"
    " heritability, in an unbalanced mixed linear model. Biometrics 1985; 41: 137\u2013152.",
    "Hurvich 1989": "Hurvich CM, Tsai CL. Regression and time series model selection in small"
    " samples. Biometrika 1989; 76: 297\u2013307.",
    "ICH E9(R1)": "ICH E9(R1). Addendum on estimands and sensitivity analysis in clinical trials"
    " to the guideline on statistical principles for clinical trials. 2019.",
    "Kauermann 2001": "Kauermann G, Carroll RJ. A note on the efficiency of sandwich covariance"
    " matrix estimation. Journal of the American Statistical Association 2001; 96:"
    " 1387\u20131396.",
    "Kenward 1997": "Kenward MG, Roger JH. Small sample inference for fixed effects from"
    " restricted maximum likelihood. Biometrics 1997; 53: 983\u2013997.",
    "Kuznetsova 2017": "Kuznetsova A, Brockhoff PB, Christensen RHB. lmerTest package: tests in"
    " linear mixed effects models. Journal of Statistical Software 2017; 82(13).",
    "Liang 1986": "Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models."
    " Biometrika 1986; 73: 13\u201322.",
    "Liang 2000": "Liang KY, Zeger SL. Longitudinal data analysis of continuous and discrete"
    " responses for pre-post designs. Sankhy\u0101 B 2000; 62: 134\u2013148.",
    "Mallinckrodt 2008": "Mallinckrodt CH, Lane PW, Schnell D, Peng Y, Mancuso JP. Recommendations"
    " for the primary analysis of continuous endpoints in longitudinal clinical trials. Drug"
    " Information Journal 2008; 42: 303\u2013319.",
    "Mancl 2001": "Mancl LA, DeRouen TA. A covariance estimator for GEE with improved small-sample"
    " properties. Biometrics 2001; 57: 126\u2013134.",
    "Maurer 1995": "Maurer W, Hothorn LA, Lehmacher W. Multiple comparisons in drug clinical trials"
    " and preclinical assays: a-priori ordered hypotheses. In: Vollmar J, ed. Biometrie in der"
    " chemisch-pharmazeutischen Industrie 6. Fischer 1995: 3\u201318.",
    "Mehrotra 2017": "Mehrotra DV, Liu F, Permutt T. Missing data in clinical trials: control-based"
    " mean imputation and sensitivity analysis. Pharmaceutical Statistics 2017; 16: 378\u2013392.",
    "O'Kelly 2014": "O'Kelly M, Ratitch B. Clinical trials with missing data: a guide for"
    " practitioners. Wiley 2014.",
    "Patterson 1971": "Patterson HD, Thompson R. Recovery of inter-block information when block"
    " sizes are unequal. Biometrika 1971; 58: 545\u2013554.",
    "Pinheiro 2000": "Pinheiro JC, Bates DM. Mixed-effects models in S and S-PLUS. Springer 2000.",
    "Pustejovsky 2018": "Pustejovsky JE, Tipton E. Small-sample methods for cluster-robust"
    " variance estimation and hypothesis testing in fixed effects models. Journal of Business and"
    " Economic Statistics 2018; 36: 672\u2013683.",
    "Robinson 1991": "Robinson GK. That BLUP is a good thing: the estimation of random effects."
    " Statistical Science 1991; 6: 15\u201332.",
    "Rubin 1976": "Rubin DB. Inference and missing data. Biometrika 1976; 63: 581\u2013592.",
    "Satterthwaite 1946": "Satterthwaite FE. An approximate distribution of estimates of variance"
    " components. Biometrics Bulletin 1946; 2: 110\u2013114.",
    "Seabold 2010": "Seabold S, Perktold J. statsmodels: econometric and statistical modeling with"
    " Python. Proceedings of the 9th Python in Science Conference 2010.",
    "Self 1987": "Self SG, Liang KY. Asymptotic properties of maximum likelihood estimators and"
    " likelihood ratio tests under nonstandard conditions. Journal of the American Statistical"
    " Association 1987; 82: 605\u2013610.",
    "Senn 1998": "Senn S. Some controversies in planning and analysing multi-centre trials."
    " Statistics in Medicine 1998; 17: 1753\u20131765.",
    "Stram 1994": "Stram DO, Lee JW. Variance components testing in the longitudinal mixed effects"
    " model. Biometrics 1994; 50: 1171\u20131177.",
    "Vallat 2018": "Vallat R. Pingouin: statistics in Python. Journal of Open Source Software"
    " 2018; 3(31): 1026.",
    "Venzon 1988": "Venzon DJ, Moolgavkar SH. A method for computing profile-likelihood-based"
    " confidence intervals. Applied Statistics 1988; 37: 87\u201394.",
    "Vierron 2009": "Vierron E, Giraudeau B. Design effect in multicenter studies: gain or loss of"
    " power? BMC Medical Research Methodology 2009; 9: 39.",
    "Wald 1947": "Wald A. A note on regression analysis. Annals of Mathematical Statistics 1947;"
    " 18: 586\u2013589.",
    "White 2018": "White IR, Carpenter J, Horton NJ. A mean score method for sensitivity analysis"
    " to departures from the missing at random assumption in randomised trials. Statistica Sinica"
    " 2018; 28: 1985\u20132003.",
}

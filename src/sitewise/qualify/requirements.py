"""The matrix of requirements to checks and tests."""

from sitewise.qualify.result import Requirement

REQUIREMENTS = (
    Requirement(
        "R1", "The installation is the locked one.",
        ("versions", "files", "libraries", "programs"),
        ("tests/architecture/test_environment.py",),
    ),
    Requirement(
        "R2", "The same data, plan, code and environment give the same bytes.",
        ("threads", "fonts", "pdf"),
        ("tests/workflow/test_integrity.py", "tests/unit/report/test_pages.py"),
    ),
    Requirement(
        "R3", "Mixed models by REML are right.",
        ("reml.between", "reml.within", "reml.mean", "reml.loglik"),
        ("tests/golden/test_lmm_ghana.py", "tests/golden/test_lmm_golden.py"),
    ),
    Requirement(
        "R4", "Contrasts, standard errors and degrees of freedom are right.",
        ("test.estimate", "test.se", "test.df", "test.p"),
        ("tests/golden/test_lmm_exact.py", "tests/golden/test_lmm_ghana.py",
         "tests/golden/test_lmm_linear.py"),
    ),
    Requirement(
        "R5", "Tests of variances and design effects are right.",
        ("lrt.mixture", "design.effect"),
        ("tests/unit/inference/test_comparison.py", "tests/unit/inference/test_design_effect.py",
         "tests/golden/test_icc.py"),
    ),
    Requirement(
        "R6", "Every reading has exactly one fate; nothing is repaired silently.",
        (),
        ("tests/properties/test_trial_fates.py", "tests/golden/test_trial_ghana.py"),
    ),
    Requirement(
        "R7", "Altered results and records can be discerned.",
        ("sha256", "ledger.sound", "ledger.changed", "ledger.removed"),
        ("tests/unit/audit/test_ledger.py", "tests/workflow/test_record.py"),
    ),
    Requirement(
        "R8", "Changed data or plan after the lock need a reason, which the report lists.",
        (),
        ("tests/unit/audit/test_locks.py", "tests/workflow/test_record.py"),
    ),
    Requirement(
        "R9", "A run that was killed is completed with the same bytes.",
        (),
        ("tests/workflow/test_kills.py",),
    ),
    Requirement(
        "R10", "While a trial is blinded nothing is computed by arm.",
        (),
        ("tests/unit/trial/test_blinding.py", "tests/workflow/test_blinded.py"),
    ),
)  # fmt: skip

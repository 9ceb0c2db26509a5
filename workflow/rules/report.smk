# Figures, page, PDF, seal.
#
# in:  all results, reports/templates
# out: figures/*.svg, report.html, tables/*, report.pdf, manifest.json

from sitewise.report.figures import TRIAL_KINDS, endpoint_kinds


rule trial_figures:
    input:
        description="<results>/tables/description.json",
        account="<results>/findings/account.json",
    output:
        figures=expand("<results>/figures/trial-{kind}.svg", kind=TRIAL_KINDS),
    log:
        "<logs>/trial_figures.log",
    priority: 1  # short and early, else the report waits for it at the end
    conda:
        "../../environment.yml"
    params:
        plan=param("trial_figures", "plan"),
        code=param("trial_figures", "code"),
        lock=param("trial_figures", "lock"),
    message:
        "Drawing the figures of the trial"
    script:
        "../scripts/trial_figures.py"


rule figures:
    input:
        description="<results>/tables/description.json",
        rows="<results>/data/adbp.parquet",
        iccs="<results>/models/{endpoint}/icc.json",
        sites="<results>/models/{endpoint}/sites.json",
        comparisons="<results>/models/{endpoint}/comparisons.json",
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
        use=f"<results>/models/{{endpoint}}/{PRIMARY}/use.parquet",
    output:
        figures=expand(
            "<results>/figures/{{endpoint}}-{kind}.svg",
            kind=endpoint_kinds(context.blinded),
        ),
    log:
        "<logs>/figures/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("figures", "plan"),
        code=param("figures", "code"),
        lock=param("figures", "lock"),
    message:
        "Drawing the figures of {wildcards.endpoint}"
    script:
        "../scripts/figures.py"


# What page and PDF are made of.
REPORTED = dict(
    findings="<results>/findings/findings.csv",
    account="<results>/findings/account.json",
    deviations="<results>/findings/deviations.json",
    description="<results>/tables/description.json",
    iccs=expand("<results>/models/{endpoint}/icc.json", endpoint=ENDPOINTS),
    replications=expand(
        "<results>/models/{endpoint}/replication.json", endpoint=ENDPOINTS
    ),
    comparisons=expand(
        "<results>/models/{endpoint}/comparisons.json", endpoint=ENDPOINTS
    ),
    crosschecks=expand(
        "<results>/models/{endpoint}/crosscheck.json", endpoint=ENDPOINTS
    ),
    ladders=expand("<results>/models/{endpoint}/ladder.json", endpoint=ENDPOINTS),
    reconciliations=expand(
        "<results>/models/{endpoint}/reconciliation.json", endpoint=ENDPOINTS
    ),
    sites=expand("<results>/models/{endpoint}/sites.json", endpoint=ENDPOINTS),
    by_sites=expand("<results>/models/{endpoint}/by_site.json", endpoint=ENDPOINTS),
    fits=expand(
        "<results>/models/{endpoint}/{model}/fit.json",
        endpoint=ENDPOINTS,
        model=MODELS,
    ),
    scores=expand(
        "<results>/models/{endpoint}/{model}/score.json",
        endpoint=ENDPOINTS,
        model=MODELS,
    ),
    figures=expand(
        "<results>/{figure}",
        figure=[file for file in OUTPUTS if file.startswith("figures/")],
    ),
    templates=[str(path) for path in context.templates.values()],
)


rule page:
    input:
        **REPORTED,
    output:
        html="<results>/report.html",
        tables=expand(
            "<results>/{table}",
            table=[
                file
                for file in OUTPUTS
                if file.startswith("tables/") and file != "tables/description.json"
            ],
        ),
    log:
        "<logs>/page.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("page", "plan"),
        sheet=param("page", "sheet"),
        digests=param("page", "digests"),
        packages=param("page", "packages"),
        limits=param("page", "limits"),
        marks=param("page", "marks"),
        templates=param("page", "templates"),
        code=param("page", "code"),
        lock=param("page", "lock"),
    message:
        "Writing the page for the screen, and the tables"
    script:
        "../scripts/page.py"


rule report:
    input:
        **REPORTED,
    output:
        pdf="<results>/report.pdf",
    log:
        "<logs>/report.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("report", "plan"),
        sheet=param("report", "sheet"),
        digests=param("report", "digests"),
        packages=param("report", "packages"),
        limits=param("report", "limits"),
        marks=param("report", "marks"),
        templates=param("report", "templates"),
        code=param("report", "code"),
        lock=param("report", "lock"),
    message:
        "Writing the report"
    script:
        "../scripts/report.py"


rule seal:
    input:
        files=expand(
            "<results>/{file}",
            file=[file for file in OUTPUTS if file != "manifest.json"],
        ),
    output:
        manifest="<results>/manifest.json",
    log:
        "<logs>/seal.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("seal", "plan"),
        digests=param("seal", "digests"),
        code=param("seal", "code"),
        lock=param("seal", "lock"),
    message:
        "Sealing the results"
    script:
        "../scripts/seal.py"

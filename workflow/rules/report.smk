# Figures, pages, seal.
#
# in:  all results, reports/templates
# out: figures/*.svg, report.html, report.pdf, tables/*, manifest.json


rule figures:
    input:
        description="<results>/tables/description.json",
        account="<results>/findings/account.json",
        iccs=expand("<results>/models/{endpoint}/icc.json", endpoint=ENDPOINTS),
        sites=expand("<results>/models/{endpoint}/sites.json", endpoint=ENDPOINTS),
        fits=expand(
            "<results>/models/{endpoint}/{model}/fit.json",
            endpoint=ENDPOINTS,
            model=MODELS,
        ),
        uses=expand(
            "<results>/models/{endpoint}/{model}/use.parquet",
            endpoint=ENDPOINTS,
            model=[PRIMARY],
        ),
    output:
        figures=expand(
            "<results>/{figure}",
            figure=[file for file in OUTPUTS if file.startswith("figures/")],
        ),
    log:
        "<logs>/figures.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("figures", "plan"),
        code=param("figures", "code"),
        lock=param("figures", "lock"),
    message:
        "Drawing the figures"
    script:
        "../scripts/figures.py"


rule report:
    input:
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
    output:
        html="<results>/report.html",
        pdf="<results>/report.pdf",
        tables=expand(
            "<results>/{table}",
            table=[
                file
                for file in OUTPUTS
                if file.startswith("tables/") and file != "tables/description.json"
            ],
        ),
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

# What follows from the fits of one endpoint.
#
# in:  data/adbp.parquet, the fits of the endpoint and their moments
# out: models/<endpoint>/icc.json, replication.json, comparisons.json, crosscheck.json,
#      ladder.json, reconciliation.json, sites.json, by_site.json


rule icc:
    input:
        rows="<results>/data/adbp.parquet",
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
    output:
        icc="<results>/models/{endpoint}/icc.json",
    log:
        "<logs>/icc/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("icc", "plan"),
        code=param("icc", "code"),
        lock=param("icc", "lock"),
    message:
        "Intraclass correlations of {wildcards.endpoint}"
    script:
        "../scripts/icc.py"


rule replicate:
    input:
        rows="<results>/data/adbp.parquet",
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
    output:
        replication="<results>/models/{endpoint}/replication.json",
    log:
        "<logs>/replicate/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("replicate", "plan"),
        code=param("replicate", "code"),
        lock=param("replicate", "lock"),
    message:
        "Fitting {wildcards.endpoint} again with a second engine"
    script:
        "../scripts/replicate.py"


rule compare:
    input:
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
        moments=expand(
            "<results>/models/{{endpoint}}/{model}/moments/{batch}.npz",
            model=MODELS,
            batch=context.batches,
        ),
    output:
        comparisons="<results>/models/{endpoint}/comparisons.json",
    log:
        "<logs>/compare/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("compare", "plan"),
        code=param("compare", "code"),
        lock=param("compare", "lock"),
    message:
        "Comparing the models of {wildcards.endpoint}"
    script:
        "../scripts/compare.py"


rule crosscheck:
    input:
        rows="<results>/data/adbp.parquet",
        primary=f"<results>/models/{{endpoint}}/{PRIMARY}/fit.json",
    output:
        crosscheck="<results>/models/{endpoint}/crosscheck.json",
        ladder="<results>/models/{endpoint}/ladder.json",
        reconciliation="<results>/models/{endpoint}/reconciliation.json",
    log:
        "<logs>/crosscheck/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("crosscheck", "plan"),
        code=param("crosscheck", "code"),
        lock=param("crosscheck", "lock"),
    message:
        "Cross-checking {wildcards.endpoint}: analysis of variance, ladder, reconciliation"
    script:
        "../scripts/crosscheck.py"


rule sites:
    input:
        rows="<results>/data/adbp.parquet",
        primary=f"<results>/models/{{endpoint}}/{PRIMARY}/fit.json",
        ranef=f"<results>/models/{{endpoint}}/{PRIMARY}/ranef.parquet",
    output:
        sites="<results>/models/{endpoint}/sites.json",
        by_site="<results>/models/{endpoint}/by_site.json",
    log:
        "<logs>/sites/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("sites", "plan"),
        code=param("sites", "code"),
        lock=param("sites", "lock"),
    message:
        "Hospitals: {wildcards.endpoint}"
    script:
        "../scripts/sites.py"

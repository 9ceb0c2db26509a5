# Every model of the plan, fitted to every endpoint.
#
# in:  data/adbp.parquet
# out: models/<endpoint>/<model>/fit.json, use.parquet, ranef.parquet


rule fit:
    input:
        rows="<results>/data/adbp.parquet",
    output:
        fit="<results>/models/{endpoint}/{model}/fit.json",
        use="<results>/models/{endpoint}/{model}/use.parquet",
        ranef="<results>/models/{endpoint}/{model}/ranef.parquet",
    log:
        "<logs>/fit/{endpoint}.{model}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("fit", "plan"),
        code=param("fit", "code"),
        lock=param("fit", "lock"),
    message:
        "Fitting {wildcards.model} to {wildcards.endpoint}"
    script:
        "../scripts/fit.py"

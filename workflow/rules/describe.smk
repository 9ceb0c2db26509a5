# Who was observed, before any model; where the trial stands towards its lock.
#
# in:  data/adbp.parquet; the ledger, by way of the params
# out: tables/description.json, findings/deviations.json


rule describe:
    input:
        rows="<results>/data/adbp.parquet",
    output:
        description="<results>/tables/description.json",
    log:
        "<logs>/describe.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("describe", "plan"),
        code=param("describe", "code"),
        lock=param("describe", "lock"),
    message:
        "Describing the patients and their readings"
    script:
        "../scripts/describe.py"


rule deviations:
    output:
        deviations="<results>/findings/deviations.json",
    log:
        "<logs>/deviations.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("deviations", "plan"),
        standing=param("deviations", "standing"),
        code=param("deviations", "code"),
        lock=param("deviations", "lock"),
    message:
        "Listing deviations from the lock"
    script:
        "../scripts/deviations.py"

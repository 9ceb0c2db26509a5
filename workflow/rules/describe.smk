# Who was observed, before any model.
#
# in:  data/adbp.parquet
# out: tables/description.json


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

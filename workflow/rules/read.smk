# From hospital files to analysis rows.
#
# in:  the hospital files, by batch. They are in the params by sha256, not among the inputs: neither
#      the place of the data folder nor a time stamp says whether a file has changed.
# out: data/batches/*, data/readings.parquet, findings/*, data/adbp.parquet


rule ingest:
    output:
        rows="<results>/data/batches/{batch}.rows.parquet",
        files="<results>/data/batches/{batch}.files.json",
        findings="<results>/data/batches/{batch}.ingest.csv",
    log:
        "<logs>/ingest/{batch}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("ingest", "plan"),
        sites=param("ingest", "sites"),
        raw=param("ingest", "raw"),
        code=param("ingest", "code"),
        lock=param("ingest", "lock"),
    message:
        "Reading the hospital files of batch {wildcards.batch}"
    script:
        "../scripts/ingest.py"


rule check_batch:
    input:
        rows="<results>/data/batches/{batch}.rows.parquet",
    output:
        rows="<results>/data/batches/{batch}.checked.parquet",
        findings="<results>/data/batches/{batch}.check.csv",
    log:
        "<logs>/check_batch/{batch}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("check_batch", "plan"),
        code=param("check_batch", "code"),
        lock=param("check_batch", "lock"),
    message:
        "Checking batch {wildcards.batch}"
    script:
        "../scripts/check_batch.py"


rule check_trial:
    input:
        rows=expand(
            "<results>/data/batches/{batch}.checked.parquet", batch=context.batches
        ),
        files=expand("<results>/data/batches/{batch}.files.json", batch=context.batches),
        findings=expand(
            "<results>/data/batches/{batch}.{kind}.csv",
            batch=context.batches,
            kind=["ingest", "check"],
        ),
    output:
        readings="<results>/data/readings.parquet",
        findings="<results>/findings/findings.csv",
        account="<results>/findings/account.json",
    log:
        "<logs>/check_trial.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("check_trial", "plan"),
        left_out=param("check_trial", "left_out"),
        unlisted=param("check_trial", "unlisted"),
        kept=param("check_trial", "kept"),
        code=param("check_trial", "code"),
        lock=param("check_trial", "lock"),
    message:
        "Checking across hospitals, accounting for every reading"
    script:
        "../scripts/check_trial.py"


rule derive:
    input:
        readings="<results>/data/readings.parquet",
    output:
        rows="<results>/data/adbp.parquet",
    log:
        "<logs>/derive.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("derive", "plan"),
        code=param("derive", "code"),
        lock=param("derive", "lock"),
    message:
        "Deriving the analysis rows"
    script:
        "../scripts/derive.py"

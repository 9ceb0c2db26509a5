# Every model of the plan, fitted to every endpoint: each batch of hospitals is read once.
#
# in:  data/adbp.parquet
# out: models/<endpoint>/<model>/moments/<batch>.npz and .json, models/<endpoint>/wide/<batch>.parquet,
#      models/<endpoint>/<model>/fit.json, score.json, use.parquet, ranef.parquet


rule moments:
    input:
        rows="<results>/data/adbp.parquet",
    output:
        moments=expand(
            "<results>/models/{endpoint}/{model}/moments/{{batch}}.npz",
            endpoint=ENDPOINTS,
            model=MODELS,
        ),
        tallies=expand(
            "<results>/models/{endpoint}/{model}/moments/{{batch}}.json",
            endpoint=ENDPOINTS,
            model=MODELS,
        ),
        wide=expand(
            "<results>/models/{endpoint}/wide/{{batch}}.parquet", endpoint=ENDPOINTS
        ),
    log:
        "<logs>/moments/{batch}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("moments", "plan"),
        sites=param("moments", "sites"),
        code=param("moments", "code"),
        lock=param("moments", "lock"),
    message:
        "Moments and wide rows of batch {wildcards.batch}"
    script:
        "../scripts/moments.py"


rule fit:
    input:
        moments=expand(
            "<results>/models/{{endpoint}}/{model}/moments/{batch}.npz",
            model=MODELS,
            batch=context.batches,
        ),
        tallies=expand(
            "<results>/models/{{endpoint}}/{model}/moments/{batch}.json",
            model=MODELS,
            batch=context.batches,
        ),
    output:
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
    log:
        "<logs>/fit/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("fit", "plan"),
        code=param("fit", "code"),
        lock=param("fit", "lock"),
    message:
        "Fitting the models to {wildcards.endpoint}"
    script:
        "../scripts/fit.py"


rule score:
    input:
        wide=expand(
            "<results>/models/{{endpoint}}/wide/{batch}.parquet",
            batch=context.batches,
        ),
        moments=expand(
            "<results>/models/{{endpoint}}/{model}/moments/{batch}.npz",
            model=MODELS,
            batch=context.batches,
        ),
        fits=expand("<results>/models/{{endpoint}}/{model}/fit.json", model=MODELS),
    output:
        scores=expand("<results>/models/{{endpoint}}/{model}/score.json", model=MODELS),
        uses=expand("<results>/models/{{endpoint}}/{model}/use.parquet", model=MODELS),
        ranefs=expand(
            "<results>/models/{{endpoint}}/{model}/ranef.parquet", model=MODELS
        ),
    log:
        "<logs>/score/{endpoint}.log",
    conda:
        "../../environment.yml"
    params:
        plan=param("score", "plan"),
        code=param("score", "code"),
        lock=param("score", "lock"),
    message:
        "Scoring the rows of {wildcards.endpoint}"
    script:
        "../scripts/score.py"

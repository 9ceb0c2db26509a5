# The analysis of one trial, from hospital files to a sealed report.
#
#   sitewise run config/ghana.yaml --data FOLDER          with all checks before and after
#   snakemake --config plan=config/ghana.yaml data=FOLDER the same results without them
#
# What depends on what is here and in workflow/rules; the work is in the package.
import os
from pathlib import Path

from snakemake.utils import min_version

from sitewise.audit.fence import require_open
from sitewise.audit.parent import announce_engine
from sitewise.run.context import context_of
from sitewise.run.environment import settle
from sitewise.run.forkserver import prefix
from sitewise.run.jobs import outputs_of
from sitewise.run.marker import VARIABLE
from sitewise.run.params import params_of

min_version("9.0")
settle()
announce_engine(by_door=VARIABLE in os.environ)
# A job takes its shell's place: it asks the kernel to die with its parent, which then is the engine.
shell.prefix(f"set -euo pipefail; exec {prefix()}")
context = context_of(config, workflow.basedir)
require_open(Path("records", context.trial))
config["data"] = str(context.data)  # the scripts look there for the hospital files
config["arms"] = str(
    context.arms or ""
)  # while the trial is blinded: the one place of the arms
param = params_of(context)
ENDPOINTS = list(context.plan.endpoints)
MODELS = list(context.plan.models)
PRIMARY = context.plan.primary.model
OUTPUTS = outputs_of(context)


pathvars:
    results=f"results/{context.trial}",
    logs=f"logs/{context.trial}",


wildcard_constraints:
    batch=r"\d+",
    endpoint=r"[A-Za-z][A-Za-z0-9_]*",
    model=r"[A-Za-z][A-Za-z0-9_]*",


include: "workflow/rules/read.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/conclude.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        expand("<results>/{output}", output=OUTPUTS),
    localrule: True


onerror:
    print(f"The run did not finish. What each job said is in logs/{context.trial}/.")

"""Say where the trial stands towards its lock (rule deviations)."""

from sitewise.audit.job import recorded
from sitewise.store.results import from_plain, write_result
from sitewise.trial.deviations import Deviations


def main(*, standing, deviations):
    """standing: fields of `Deviations`, from the ledger."""
    write_result(deviations, from_plain(standing, Deviations))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            standing=dict(snakemake.params.standing),
            deviations=snakemake.output.deviations,
        )

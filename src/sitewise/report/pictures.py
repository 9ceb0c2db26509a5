"""The figures as the pages print them: the question that each answers, caption, words for it."""

from collections.abc import Mapping

from sitewise.report import words_figures as words
from sitewise.report import words_pictures as more
from sitewise.report.evidence import Evidence
from sitewise.report.layout import Figure

# Kind of a figure (the end of its file's name): question, caption, alternative text.
_ENDPOINT = {
    "profiles": (
        "How did the arms develop, and how far apart are they?",
        words.profiles_caption,
        words.profiles_alt,
    ),
    "individuals": (
        "How do single patients develop?",
        more.individuals_caption,
        more.individuals_alt,
    ),
    "missing": ("Which visits are missing, and in which arm?", more.missing_caption,
                more.missing_alt),
    "shares": ("Where does the variance lie?", more.shares_caption, more.shares_alt),
    "caterpillar": (
        "How far is each hospital from the average, and how sure is that?",
        words.caterpillar_caption,
        words.caterpillar_alt,
    ),
    "forest": ("What was seen in each hospital?", words.forest_caption, words.forest_alt),
    "models": ("Does the answer hang on the model?", more.models_caption, more.models_alt),
    "residuals": ("Does the primary model fit the readings?", words.residuals_caption,
                  words.residuals_alt),
    "marginal": ("Are the means and the covariance of the primary model right?",
                 words.marginal_caption, words.marginal_alt),
    "ladder": ("Which parts of the models do the data ask for?", more.ladder_caption,
               more.ladder_alt),
}  # fmt: skip
_TRIAL = {
    "flow": ("Who came in, who was left out, who was seen?", more.flow_caption, more.flow_alt),
    "enrolment": ("How many patients has each hospital, and how many stayed?",
                  more.enrolment_caption, more.enrolment_alt),
}  # fmt: skip


def picture(
    e: Evidence, figures: Mapping[str, str], kind: str, endpoint: str = "", anchor: str = ""
) -> Figure:
    """The figure of one kind, of an endpoint or of the trial. figures: file name to source."""
    if endpoint:
        title, caption, alt = _ENDPOINT[kind]
        said, words_for_it = caption(e, endpoint), alt(e, endpoint)
    else:
        title, told, seen = _TRIAL[kind]
        said, words_for_it = told(e), seen(e)
    name = f"{endpoint or 'trial'}-{kind}"
    return Figure(anchor or f"fig-{name}", said, words_for_it, figures[f"{name}.svg"], title)

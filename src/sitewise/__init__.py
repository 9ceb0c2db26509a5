"""sitewise: reproducible analysis of multi-site clinical trials with longitudinal outcomes."""

__version__ = "0.1.0"

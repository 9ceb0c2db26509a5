"""What follows from fits: contrasts, comparisons, intraclass correlations."""

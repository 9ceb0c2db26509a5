"""Relatives of the mixed model: repeated-measures ANOVA, least squares, a second engine."""

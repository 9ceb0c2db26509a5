"""Linear mixed models: formula, design, fit. Knows no trial, no file, no plan."""

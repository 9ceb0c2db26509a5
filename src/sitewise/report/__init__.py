"""Pages: tables, figures, words. Never computes a statistic."""

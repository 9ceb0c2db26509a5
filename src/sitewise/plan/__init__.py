"""The plan: typed configuration of a trial, read from config/<trial>.yaml and its site sheet."""

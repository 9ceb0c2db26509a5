"""Trials from a seed, written as hospital files."""

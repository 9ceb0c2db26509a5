"""The one door that starts the workflow."""

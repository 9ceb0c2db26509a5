"""Qualification: whether this installation is what it should be and gives known answers."""

"""``reproduce world2act``: from demonstrations to the table of evidence, as a list of steps."""

"""What filter and blending do to success: the same episodes commanded in different ways, compared seed by seed."""

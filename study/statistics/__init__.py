"""Statistics of diagnostic reader studies."""

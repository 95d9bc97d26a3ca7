"""What a person sees. Qt lives here only."""

"""What a plan says that a run will ask of a provider is what the provider is asked."""

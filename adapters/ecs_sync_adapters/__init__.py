"""One module a provider. SDKs are imported here and nowhere else."""

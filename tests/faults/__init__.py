"""What goes wrong between a run and every provider, and that it ends in step all the same."""

"""One module a translation between items and entries; pure, no I/O."""

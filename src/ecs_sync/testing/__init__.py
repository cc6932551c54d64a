"""What an adapter or mapping, ours or a stranger's, is held to, and the means to hold it."""

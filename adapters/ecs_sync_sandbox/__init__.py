"""Local stand-ins for providers: real servers where a package ships one, own ones where none does."""

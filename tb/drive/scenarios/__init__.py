"""What hosts do with a drive: coroutines of a ``Host``, for ``run_drive``."""

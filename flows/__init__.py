"""The `tenon` command and the pipelines behind it."""

"""The drive's pipelines: generating it, and networks over data at rest in it."""

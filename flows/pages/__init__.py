"""The pages of ``docs/`` that are written by the product itself."""

"""Irregularly wired networks, as problems of ordering: tensors, sizes and operators."""

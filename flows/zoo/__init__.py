"""Built-in networks: ``zoo:NAME`` wherever a model is wanted."""

from tenon.flows.zoo.resolve import ZooModel, is_zoo, resolve

__all__ = ["ZooModel", "is_zoo", "resolve"]

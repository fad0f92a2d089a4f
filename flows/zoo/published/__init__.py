"""Published networks: their topology as exporters lay it out, with seeded weights, quantised on first use."""

from tenon.flows.zoo.published.catalogue import ALIASES, NETWORKS, Published, grown, inputs, model

__all__ = ["ALIASES", "NETWORKS", "Published", "grown", "inputs", "model"]

"""What a configuration takes of an FPGA, without synthesis: sums over its modules, fitted to configurations that were synthesised."""

from tenon.flows.area_model.model import AREA_NUMBER, AreaModel, Error, area_model, area_number

__all__ = ["AREA_NUMBER", "AreaModel", "Error", "area_model", "area_number"]

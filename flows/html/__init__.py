"""A run's report as a page for the browser."""

from tenon.flows.html.page import run_page
from tenon.flows.html.record import parse_record, read_record

__all__ = ["parse_record", "read_record", "run_page"]

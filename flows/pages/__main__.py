"""``python -m tenon.flows.pages``: writes the generated pages of ``docs/``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tenon.acg.isa import isa_page
from tenon.flows.errors import user_errors
from tenon.flows.outputs import new_file
from tenon.flows.pages.configuration import configuration_page
from tenon.flows.pages.nvme import nvme_page
from tenon.flows.pages.operators import CONFIG, operators_page
from tenon.hw.covenant import covenant
from tenon.hw.presets import preset
from tenon.tb.formal.page import proofs_page

#: What each page is made by.
PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration_page,
    "isa.md": lambda: isa_page(covenant(preset(CONFIG))),
    "nvme.md": nvme_page,
    "operators.md": operators_page,
    "proofs.md": proofs_page,
}


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("docs"), help="The folder to write to.")
def main(output: Path) -> None:
    """Writes the pages that the product writes about itself."""
    with user_errors():
        for name, make in PAGES.items():
            with new_file(output / name) as work:
                work.write_text(make(), encoding="utf-8")
            click.echo(output / name)


if __name__ == "__main__":
    main()

"""All tables of a material, in the order of its sources."""

from __future__ import annotations

from escapedim.records.results import LotteryResult, TrainResult, WidenResult
from escapedim.records.rewinding import RewindResult
from escapedim.reporting.material import Material, Source
from escapedim.reporting.tables import comparing, lottery, rewinding, training, widening
from escapedim.reporting.tables.plain import Table


def of_source(source: Source) -> list[Table]:
    """Return the tables of one result."""
    result = source.result
    if isinstance(result, LotteryResult):
        return lottery.tables(result)
    if isinstance(result, WidenResult):
        return widening.tables(result)
    if isinstance(result, RewindResult):
        return rewinding.tables(result)
    return training.tables(result) if isinstance(result, TrainResult) else []


def of_material(material: Material) -> list[tuple[str, Table]]:
    """Return all tables with the name of their source: those of a comparison first."""
    compared = [(material.name, table) for table in comparing.tables(material)]
    return [*compared, *((source.name, table) for source in material.sources for table in of_source(source))]

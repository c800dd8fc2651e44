from ..training.conftest import processor_settings

__all__ = ["processor_settings"]

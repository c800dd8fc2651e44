"""Signals that ask to save and stop, and the exit codes that say which one came; imports nothing but `signal`."""

from __future__ import annotations

import signal

EXIT_CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}
NOTICES = frozenset({signal.SIGUSR1, signal.SIGHUP})
"""Those that are never the reason to end without saving, however often they come."""

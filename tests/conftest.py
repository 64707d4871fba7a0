"""Fixtures for every test. The servers behind them are real; each fixture's docstring says what it offers.

`engine` · `smtp_sink` · `worker`, `start_worker` · `served`, `process_env` · `browser_page`, `open_page`, `console`
"""

pytest_plugins = ["tests.servers.rules", "tests.servers.smtp", "tests.servers.portal", "tests.servers.browser"]

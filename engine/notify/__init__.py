"""Messages brought to receivers outside: webhooks, and people by way of Apprise."""

"""Messages to receivers outside: webhooks and Apprise addresses."""

"""Git: every call of it, and the settings and stores it reads."""

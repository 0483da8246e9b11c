"""Parts of the application that no screen owns: alerts, theme, external programs."""

"""Files and folders, read and written without leaving their root."""

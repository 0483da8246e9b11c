"""The size of folders, measured in processes of their own."""

"""Agents: how each is started, what its output means, where its sessions lie."""

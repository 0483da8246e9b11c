"""Answers to the messages about workspaces."""

from __future__ import annotations

from engine.execution.cluster.node.home import Handlers

HANDLERS: Handlers = {}

"""Bars, toasts and progress."""

"""Estimators that the study needs beside those it shares with the bench: pure functions over sequences of numbers."""
